// The dashboard: what the server did in the last ten minutes, looked at every two seconds.
import { startControls } from './controls.js';
import { element, find } from './dom.js';
import { failureText } from './failures.js';
import { Plot } from './plot.js';
import { morphChildren } from './morph.js';
import { json } from './server.js';
import { bytes, duration, number, onLanguage, price, word } from './words.js';

const interval = 2000;
const span = 600_000;
const mostKeys = 5;
/// Steps that a rate is the mean of: tokens come in bursts.
const smoothing = 3;
const whole = (value) => number(value, { maximumFractionDigits: 0 });
const rate = (value) => number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });

const plots = {
  tokens: new Plot({ title: 'tokensPerSecond', series: ['generated'], format: rate, least: 10 }),
  requests: new Plot({ title: 'requests', series: ['computed', 'queued'], format: whole, least: 4 }),
  firstToken: new Plot({ title: 'firstToken', series: ['mean'], format: duration, least: 0.1 }),
  cache: new Plot({ title: 'cache', series: ['cacheReserved', 'cacheKept'], format: bytes, least: 1_000_000 }),
  memory: new Plot({ title: 'memory', series: ['memory'], format: bytes, least: 100_000_000 }),
  cost: new Plot({ title: 'costTotal', series: ['cost'], format: (value) => price(value), least: 0.000001 }),
  keys: new Plot({ title: 'usageByKey', series: [], format: whole, least: 10 }),
};
plots.keys.table = element('div', { class: 'table-frame', tabindex: '0' });
plots.keys.node.append(plots.keys.table);
plots.keys.node.classList.add('wide');
find('#plots').append(...['tokens', 'requests', 'firstToken', 'cache', 'memory', 'cost', 'keys'].map((name) => plots[name].node));

let latest = null;
let timer = null;

async function look() {
  clearTimeout(timer);
  try {
    latest = await json('GET', '/api/stats');
    showProblem(null);
    draw();
  } catch (failure) {
    showProblem(failure);
    if (failure.kind === 'key' || failure.status === 403) return;
  }
  timer = setTimeout(look, document.hidden ? interval * 5 : interval);
}

function draw() {
  const { load, usage, models } = latest;
  const now = load ? load.time.at(-1) : Date.now();
  const range = { span: [now - span, now] };
  find('#models').textContent = `${models.join(', ')} · ${word('lastMinutes')}`;
  for (const name of ['tokens', 'requests', 'firstToken', 'cache', 'memory']) plots[name].node.hidden = !load;
  if (load) {
    plots.tokens.update(load.time, [rates(load.time, load.generated_tokens)], range);
    plots.requests.update(load.time, [load.active, load.waiting], range);
    plots.firstToken.update(load.time, [means(load.first_token_seconds, load.first_tokens)], range);
    plots.cache.update(load.time, [load.cache_reserved_bytes, load.cache_kept_bytes], range);
    plots.memory.update(load.time, [load.memory_bytes], range);
    drawTotals(load);
  }
  drawUsage(usage, latest.usage_step_seconds * 1000, range);
}

/// What a counter grew a second.
function rates(times, counts) {
  return counts.map((count, index) => {
    const start = Math.max(0, index - smoothing);
    const seconds = (times[index] - times[start]) / 1000;
    return seconds > 0 ? Math.max(0, count - counts[start]) / seconds : null;
  });
}

/// The mean of what was added between two looks; null where nothing was.
function means(sums, counts) {
  let last = null;
  return counts.map((count, index) => {
    const more = index > 0 ? count - counts[index - 1] : 0;
    if (more > 0) last = (sums[index] - sums[index - 1]) / more;
    return last;
  });
}

/// What stands for a key.
const keyName = (entry) => (entry.key === null ? word('noKey') : (entry.name || `#${entry.key}`));

function drawUsage(usage, step, range) {
  const keys = new Map();
  for (const entry of usage) {
    const sum = keys.get(entry.key) ?? { name: keyName(entry), requests: 0, prompt: 0, completion: 0, cost: 0, steps: new Map() };
    sum.requests += entry.requests;
    sum.prompt += entry.prompt_tokens;
    sum.completion += entry.completion_tokens;
    sum.cost += entry.cost;
    sum.steps.set(entry.time * 1000, entry.completion_tokens);
    keys.set(entry.key, sum);
  }
  const sums = [...keys.values()].sort((a, b) => b.completion - a.completion);
  const first = Math.ceil(range.span[0] / step) * step;
  const starts = [];
  for (let time = first; time <= range.span[1]; time += step) starts.push(time);
  // Each step is drawn as wide as it is long.
  const times = starts.flatMap((time) => [time, Math.min(time + step - 1, range.span[1])]);
  const columns = sums.slice(0, mostKeys).map((sum) => starts.flatMap((time) => Array(2).fill(sum.steps.get(time) ?? 0)));
  plots.keys.update(times, columns.length > 0 ? columns : [times.map(() => 0)], { ...range, names: columns.length > 0 ? sums.slice(0, mostKeys).map((sum) => sum.name) : [''] });
  plots.keys.value.textContent = word('tokens', { count: whole(sums.reduce((total, sum) => total + sum.completion, 0)) });
  drawKeyTable(sums);
  const isPaid = usage.some((entry) => entry.cost > 0);
  plots.cost.node.hidden = !isPaid;
  if (!isPaid) return;
  let total = 0;
  const costs = starts.flatMap((time) => {
    total += usage.filter((entry) => entry.time * 1000 === time).reduce((sum, entry) => sum + entry.cost, 0);
    return [total, total];
  });
  plots.cost.update(times, [costs], range);
}

function drawKeyTable(sums) {
  if (sums.length === 0) {
    morphChildren(plots.keys.table, [element('p', { class: 'hint' }, word('noUsage'))]);
    return;
  }
  const isPaid = sums.some((sum) => sum.cost > 0);
  const head = ['key', 'requestsCount', 'promptTokens', 'answerTokens', ...(isPaid ? ['cost'] : [])];
  const cells = (sum) => [sum.name, whole(sum.requests), whole(sum.prompt), whole(sum.completion), ...(isPaid ? [price(sum.cost)] : [])];
  morphChildren(plots.keys.table, [element(
    'table', {}, element('thead', {}, element('tr', {}, head.map((key) => element('th', { scope: 'col' }, word(key))))),
    element('tbody', {}, sums.map((sum) => element('tr', {}, cells(sum).map((text, index) => element('td', { title: index === 0 ? text : null }, text))))))]);
}

function drawTotals(load) {
  const entries = [
    [load.requests, 'requestsCount'], [load.generated_tokens, 'tokensGenerated'], [load.prompt_tokens, 'tokensPrompted'], [load.cached_tokens, 'tokensCached'],
  ];
  morphChildren(find('#totals'), [
    element('h2', {}, word('sinceStart')),
    element('dl', {}, entries.map(([column, key]) => element('div', {}, element('dd', {}, whole(column.at(-1))), element('dt', {}, word(key))))),
  ]);
}

/// The same is not said again: both are read out.
function showProblem(failure) {
  const bar = find('#problem');
  bar.hidden = !failure;
  const state = word(failure ? 'lost' : 'live');
  if (find('#state').textContent !== state) find('#state').textContent = state;
  find('#state').classList.toggle('bad', Boolean(failure));
  const text = failure ? failureText(failure) : '';
  if (text === bar.dataset.text) return;
  bar.dataset.text = text;
  const button = element('button', { type: 'button', class: 'button small', on: { click: look } }, word('tryAgain'));
  bar.replaceChildren(element('div', {}, text), element('div', { class: 'notice-buttons' }, button));
}

onLanguage(() => {
  document.title = `${word('dashboard')} · Swiftlet`;
  if (latest) draw();
});
addEventListener('visibilitychange', () => {
  if (!document.hidden) look();
});

startControls();
document.title = `${word('dashboard')} · Swiftlet`;
await look();
