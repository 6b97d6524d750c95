// A quantity of the last ten minutes, drawn as areas over each other.
import { drawing, element } from './dom.js';
import { morphChildren } from './morph.js';
import { language, word } from './words.js';

const height = 150;
const margin = { top: 10, right: 6, bottom: 22, left: 6 };

/// A number that is 1, 2, 2.5 or 5 times a power of ten, and not below `value`.
function roundedUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5].find((factor) => factor * power >= value * 0.9999) ?? 10) * power;
}

/// A card with a title, the value of this moment, and the plot.
export class Plot {
  /// - Parameters:
  ///   - title, series: keys of words; one series or several that lie on each other.
  ///   - format: makes a text of a value.
  ///   - least: what the axis reaches at least.
  constructor({ title, series, format, least = 0 }) {
    Object.assign(this, { title, series, format, least });
    this.value = element('p', { class: 'plot-value' });
    this.peak = element('p', { class: 'plot-peak' });
    this.readout = element('p', { class: 'plot-readout' });
    this.name = element('h2', {});
    this.legend = element('ul', { class: 'legend' });
    this.picture = drawing('svg', { class: 'plot', tabindex: '0', role: 'img' });
    this.node = element('section', { class: 'card' }, element('div', { class: 'card-head' }, this.name, this.peak), this.value, this.picture, element('div', { class: 'plot-foot' }, this.legend, this.readout));
    this.times = [];
    this.columns = [];
    this.at = null;
    this.picture.addEventListener('pointermove', (event) => this.point(event.clientX - this.picture.getBoundingClientRect().left));
    this.picture.addEventListener('pointerleave', () => this.mark(null));
    this.picture.addEventListener('blur', () => this.mark(null));
    this.picture.addEventListener('keydown', (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  /// Sums at each moment; null where nothing is known.
  get sums() {
    return this.times.map((_, index) => {
      const values = this.columns.map((column) => column[index]).filter((value) => value !== null);
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
    });
  }

  /// - Parameters:
  ///   - times: milliseconds since 1970, ascending.
  ///   - columns: for each series its values; null where there is none.
  ///   - names: of the series, in place of words.
  update(times, columns, { span, names } = {}) {
    this.times = times;
    this.columns = columns;
    this.span = span ?? this.span;
    this.names = names;
    this.draw();
  }

  draw() {
    const width = Math.max(200, this.picture.clientWidth || 320);
    const sums = this.sums;
    const known = sums.filter((value) => value !== null);
    const last = sums.findLast((value) => value !== null) ?? null;
    const peak = known.length > 0 ? Math.max(...known) : 0;
    this.name.textContent = word(this.title);
    this.value.textContent = last === null ? '–' : this.format(last);
    this.peak.textContent = known.length > 0 ? word('peak', { value: this.format(peak) }) : '';
    // Who stands on it hears the values that were asked for.
    if (document.activeElement !== this.picture) this.picture.setAttribute('aria-label', word('plotLabel', { title: word(this.title), value: this.value.textContent, peak: this.format(peak) }));
    const names = this.names ?? this.series.map((key) => word(key));
    morphChildren(this.legend, names.length > 1 ? names.map((name, index) => element('li', { class: `series-${index + 1}` }, name)) : []);
    const [from, to] = this.span ?? [this.times[0] ?? 0, this.times.at(-1) ?? 1];
    const top = roundedUp(Math.max(peak, this.least));
    this.x = (time) => margin.left + ((time - from) / Math.max(1, to - from)) * (width - margin.left - margin.right);
    this.y = (value) => margin.top + (1 - value / top) * (height - margin.top - margin.bottom);
    this.picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.marker = drawing('g', { class: 'marker' });
    this.picture.replaceChildren(...this.grid(top, width), ...this.areas(), this.marker);
    this.mark(this.at, false);
  }

  grid(top, width) {
    const nodes = [0, 0.5, 1].map((part) => {
      const y = this.y(top * part);
      return drawing('line', { class: part === 0 ? 'axis' : 'grid', x1: margin.left, x2: width - margin.right, y1: y, y2: y });
    });
    nodes.push(drawing('text', { class: 'tick', x: margin.left, y: this.y(top) - 2, dy: '0.9em' }, this.format(top)));
    const bottom = height - 5;
    nodes.push(drawing('text', { class: 'tick', x: margin.left, y: bottom }, word('minutesAgo', { count: 10 })));
    nodes.push(drawing('text', { class: 'tick end', x: width - margin.right, y: bottom }, word('now')));
    return nodes;
  }

  areas() {
    const below = this.times.map(() => 0);
    const nodes = [];
    const lines = [];
    this.columns.forEach((column, index) => {
      const points = [];
      this.times.forEach((time, at) => {
        const value = column[at];
        if (value === null) {
          points.push(null);
          return;
        }
        const start = below[at];
        points.push({ x: this.x(time), low: this.y(start), high: this.y(start + value) });
        below[at] = start + value;
      });
      for (const run of runs(points)) {
        const line = run.map((point, at) => `${at === 0 ? 'M' : 'L'}${point.x.toFixed(1)} ${point.high.toFixed(1)}`).join('');
        const back = run.toReversed().map((point) => `L${point.x.toFixed(1)} ${point.low.toFixed(1)}`).join('');
        nodes.push(drawing('path', { class: `area series-${index + 1}`, d: `${line}${back}Z` }));
        lines.unshift(drawing('path', { class: `line series-${index + 1}`, d: line }));
      }
    });
    // Where nothing lies on a series, its own line is seen.
    return [...nodes, ...lines];
  }

  point(x) {
    let best = null;
    this.times.forEach((time, index) => {
      if (best === null || Math.abs(this.x(time) - x) < Math.abs(this.x(this.times[best]) - x)) best = index;
    });
    this.mark(best);
  }

  onKey(event) {
    const last = this.times.length - 1;
    if (last < 0) return;
    const at = this.at === null ? last : this.at;
    const target = { ArrowLeft: this.at === null ? last : at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 15, PageDown: at + 15 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.mark(Math.max(0, Math.min(last, target)), true, true);
  }

  /// Shows the values of one moment.
  mark(index, isNew = true, isSpoken = false) {
    this.at = index === null || index >= this.times.length ? null : index;
    this.marker.replaceChildren();
    if (this.at === null) {
      if (isNew) this.readout.textContent = '';
      return;
    }
    const x = this.x(this.times[this.at]);
    this.marker.append(drawing('line', { x1: x, x2: x, y1: margin.top, y2: height - margin.bottom }));
    const time = new Intl.DateTimeFormat(language(), { timeStyle: 'medium' }).format(this.times[this.at]);
    const names = this.names ?? this.series.map((key) => word(key));
    const values = this.columns.map((column, series) => {
      const text = column[this.at] === null ? '–' : this.format(column[this.at]);
      return names.length > 1 ? `${names[series]} ${text}` : text;
    });
    this.readout.setAttribute('aria-live', isSpoken ? 'polite' : 'off');
    this.readout.textContent = `${time} · ${values.join(' · ')}`;
  }
}

/// Points without a gap between them.
function runs(points) {
  const all = [[]];
  for (const point of points) {
    if (point) all.at(-1).push(point);
    else if (all.at(-1).length > 0) all.push([]);
  }
  return all.filter((run) => run.length > 0);
}
