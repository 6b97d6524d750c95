// Runs before the page is painted, so that it does not flash in another theme or language.
(() => {
  const read = (name) => {
    try {
      return JSON.parse(localStorage.getItem('swiftlet.' + name));
    } catch {
      return null;
    }
  };
  const theme = read('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  const tags = [read('language'), ...navigator.languages].filter(Boolean);
  for (const tag of tags) {
    if (/^en/i.test(tag)) document.documentElement.lang = 'en';
    else if (/^zh-?(hant|tw|hk|mo)/i.test(tag)) document.documentElement.lang = 'zh-Hant';
    else if (/^zh/i.test(tag)) document.documentElement.lang = 'zh-Hans';
    else continue;
    break;
  }
})();
