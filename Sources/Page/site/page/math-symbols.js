// TeX's names of symbols.

/// Without a prototype: what is looked up comes from answers, and `\constructor` is no symbol.
const bare = (object) => Object.assign(Object.create(null), object);
const table = (text) => bare(Object.fromEntries(text.trim().split(/\s+/).map((entry) => entry.split('='))));

/// Letters.
export const letters = table(`
  alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε zeta=ζ eta=η theta=θ vartheta=ϑ iota=ι kappa=κ lambda=λ mu=μ nu=ν xi=ξ omicron=ο pi=π
  varpi=ϖ rho=ρ varrho=ϱ sigma=σ varsigma=ς tau=τ upsilon=υ phi=ϕ varphi=φ chi=χ psi=ψ omega=ω Gamma=Γ Delta=Δ Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ
  Upsilon=Υ Phi=Φ Psi=Ψ Omega=Ω aleph=ℵ beth=ℶ hbar=ℏ ell=ℓ Re=ℜ Im=ℑ wp=℘ partial=∂ infty=∞ nabla=∇ emptyset=∅ varnothing=∅ imath=ı jmath=ȷ
  top=⊤ bot=⊥ angle=∠ triangle=△ square=□ Box=□ checkmark=✓ degree=° prime=′ dagger=† ddagger=‡ clubsuit=♣ diamondsuit=♢ heartsuit=♡ spadesuit=♠`);

/// Operators and relations.
export const operators = table(`
  pm=± mp=∓ times=× div=÷ cdot=⋅ ast=∗ star=⋆ circ=∘ bullet=∙ oplus=⊕ ominus=⊖ otimes=⊗ oslash=⊘ odot=⊙ cap=∩ cup=∪ uplus=⊎ sqcap=⊓ sqcup=⊔
  vee=∨ lor=∨ wedge=∧ land=∧ setminus=∖ wr=≀ neg=¬ lnot=¬ forall=∀ exists=∃ nexists=∄ le=≤ leq=≤ leqslant=⩽ ge=≥ geq=≥ geqslant=⩾ ll=≪ gg=≫ ne=≠ neq=≠
  equiv=≡ sim=∼ simeq=≃ approx=≈ cong=≅ propto=∝ doteq=≐ prec=≺ succ=≻ preceq=⪯ succeq=⪰ in=∈ notin=∉ ni=∋ subset=⊂ supset=⊃ subseteq=⊆
  supseteq=⊇ subsetneq=⊊ supsetneq=⊋ sqsubseteq=⊑ sqsupseteq=⊒ mid=∣ nmid=∤ parallel=∥ perp=⊥ models=⊨ vdash=⊢ dashv=⊣ asymp=≍ bowtie=⋈
  to=→ rightarrow=→ leftarrow=← gets=← leftrightarrow=↔ Rightarrow=⇒ Leftarrow=⇐ Leftrightarrow=⇔ implies=⟹ impliedby=⟸ iff=⟺ mapsto=↦
  longrightarrow=⟶ longleftarrow=⟵ Longrightarrow=⟹ Longleftarrow=⟸ longmapsto=⟼ uparrow=↑ downarrow=↓ updownarrow=↕ Uparrow=⇑ Downarrow=⇓
  nearrow=↗ searrow=↘ swarrow=↙ nwarrow=↖ hookrightarrow=↪ hookleftarrow=↩ rightharpoonup=⇀ rightleftharpoons=⇌ therefore=∴ because=∵
  ldots=… dots=… cdots=⋯ vdots=⋮ ddots=⋱ dotsc=… dotsb=⋯ colon=: vert=| Vert=‖ backslash=\\ langle=⟨ rangle=⟩ lceil=⌈ rceil=⌉ lfloor=⌊
  rfloor=⌋ lbrace={ rbrace=} lbrack=[ rbrack=] lvert=| rvert=| lVert=‖ rVert=‖ surd=√ coloneqq=≔ triangleq=≜ lesssim=≲ gtrsim=≳`);

/// Operators whose limits stand above and below them when there is room.
export const largeOperators = table(`
  sum=∑ prod=∏ coprod=∐ bigcup=⋃ bigcap=⋂ bigvee=⋁ bigwedge=⋀ bigoplus=⨁ bigotimes=⨂ bigodot=⨀ biguplus=⨄ bigsqcup=⨆`);

export const integrals = table('int=∫ iint=∬ iiint=∭ oint=∮');

/// Functions that are written upright.
export const functions = new Set(
  'arccos arcsin arctan arg cos cosh cot coth csc deg dim exp gcd hom ker lg ln log sec sin sinh tan tanh'.split(' '));

/// Functions whose limits stand below them.
export const limits = new Set('argmax argmin det inf lim liminf limsup max min Pr sup'.split(' '));

export const accents = table(`
  hat=^ widehat=^ bar=¯ overline=¯ vec=→ overrightarrow=→ overleftarrow=← dot=˙ ddot=¨ tilde=~ widetilde=~ check=ˇ breve=˘ acute=´ grave=\u0060
  mathring=˚ overbrace=⏞`);

export const underlines = table('underline=_ underbrace=⏟');

/// Blanks, in em.
export const blanks = {
  ',': 0.17, ':': 0.22, '>': 0.22, ';': 0.28, '!': -0.17, ' ': 0.25, '~': 0.25, quad: 1, qquad: 2, enspace: 0.5, thinspace: 0.17, thickspace: 0.28,
};

/// Names of alphabets, as what they make of letters: where A, a and 0 are in Unicode, and exceptions that were there before the others.
export const alphabets = bare({
  mathbb: { A: 0x1d538, a: 0x1d552, 0: 0x1d7d8, but: table('C=ℂ H=ℍ N=ℕ P=ℙ Q=ℚ R=ℝ Z=ℤ') },
  mathcal: { A: 0x1d49c, a: 0x1d4b6, but: table('B=ℬ E=ℰ F=ℱ H=ℋ I=ℐ L=ℒ M=ℳ R=ℛ e=ℯ g=ℊ o=ℴ') },
  mathfrak: { A: 0x1d504, a: 0x1d51e, but: table('C=ℭ H=ℌ I=ℑ R=ℜ Z=ℨ') },
  mathbf: { A: 0x1d400, a: 0x1d41a, 0: 0x1d7ce, but: {} },
  mathsf: { A: 0x1d5a0, a: 0x1d5ba, 0: 0x1d7e2, but: {} },
  mathtt: { A: 0x1d670, a: 0x1d68a, 0: 0x1d7f6, but: {} },
  boldsymbol: { A: 0x1d468, a: 0x1d482, 0: 0x1d7ce, but: {} },
});
alphabets.mathscr = alphabets.mathcal;
alphabets.bm = alphabets.boldsymbol;
alphabets.bold = alphabets.mathbf;
alphabets.Bbb = alphabets.mathbb;

/// The delimiters around a matrix.
export const matrices = bare({
  matrix: ['', ''], smallmatrix: ['', ''], pmatrix: ['(', ')'], bmatrix: ['[', ']'], Bmatrix: ['{', '}'], vmatrix: ['|', '|'], Vmatrix: ['‖', '‖'],
  array: ['', ''], cases: ['{', ''], aligned: ['', ''], align: ['', ''], gathered: ['', ''], gather: ['', ''], split: ['', ''], equation: ['', ''],
});
