/* The page: state in, figures out.  One render() draws everything from the data set and the state. */

import { Cards } from './cards.js';
import { TimeChart } from './chart.js';
import { TOKEN_KINDS, decodeDataset, embeddedJson } from './dataset.js';
import { h, setText } from './dom.js';
import { ratio } from './exact.js';
import { breakdownColumns, costText, costTitle, rowOf } from './figures.js';
import { Filter } from './filters.js';
import * as format from './format.js';
import { follow } from './live.js';
import { byValueThenName, groupKeys, select, sum } from './query.js';
import {
  PRESETS, emptyState, label, labels, readHash, stepStart, stepsFor, timeRange, useDimensions,
  writeHash,
} from './state.js';
import { DataTable } from './table.js';
import { startTheme } from './theme.js';

const NAMED_SERIES = 7;
const NARROW = 600;
const OTHER_SLOT = 'x';
/* Profile types keep their colours whatever the data has; what is unknown is grey. */
const TYPES = new Map([['InRegion', 0], ['CrossRegion', 1], ['GlobalCrossRegion', 2], ['Unknown', 8]]);
const MATRIX_METRICS = [
  ['TotalTokenCount', 'Tokens'],
  ['EstimatedCost', 'Estimated cost'],
  ['Invocations', 'Invocations'],
];
/* Half a landscape page of A4 or Letter, less borders and gaps: layout for print cannot be measured. */
const PRINT_WIDTH = 440;

const byId = (id) => document.getElementById(id);

let dataset = null;
let state = emptyState(); /* until the data say what the address may name */
let offline = false;
let updatedAt = null;
let problem = null;

const announce = (text) => setText(byId('announce'), text);

/* ---- state ---- */

function change(patch) {
  state = { ...state, ...patch };
  const hash = writeHash(state);
  history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
  render();
  announceResult();
}

function setFilter(dimension, values) {
  const filters = new Map(state.filters);
  if (values.size) filters.set(dimension, values);
  else filters.delete(dimension);
  change({ filters });
}

function setRange(range) {
  if (range === null) change({ range: 'all', since: null, until: null });
  else change({ range: 'custom', ...range });
}

/* A click on a legend entry shows only that value; a second one shows all again. */
function pick(series) {
  if (!series.pick) return;
  const { dimension, value } = series.pick;
  const chosen = state.filters.get(dimension);
  const alone = chosen?.size === 1 && chosen.has(value);
  setFilter(dimension, alone ? new Set() : new Set([value]));
}

function announceResult() {
  if (!dataset?.extent) return;
  const tokens = byId('card-tokens')?.title;
  announce(byId('panels').hidden ? 'Nothing matches these filters' : `${tokens} with these filters`);
}

const csvName = (what) => () => {
  const range = currentRange();
  const part = (t) => format.isoMinute(t).replace(/[-:]/g, '');
  return `bedrock-${what}-${part(range.since)}-${part(range.until)}`;
};

function currentRange() {
  const { since, until } = timeRange(state, dataset.extent);
  return {
    since: Math.max(since, dataset.extent.since),
    until: Math.min(until, dataset.extent.until),
  };
}

/* ---- the parts of the page ---- */

const cards = new Cards();

const chart = (options) => new TimeChart({ onRange: setRange, onPick: pick, announce, ...options });
const charts = {
  tokens: chart({ id: 'tokens', title: 'Tokens over time', kind: 'stack', axis: format.axisCount,
    csvName: csvName('tokens') }),
  cost: chart({ id: 'cost', title: 'Estimated cost over time', kind: 'stack', axis: format.axisCost,
    csvName: csvName('cost') }),
  cache: chart({ id: 'cache', title: 'Cache share over time', kind: 'line',
    hint: 'Prompt tokens read from the cache, of all prompt tokens',
    axis: (v) => `${+(v * 100).toPrecision(3)}%`, csvName: csvName('cache') }),
  errors: chart({ id: 'errors', title: 'Error rates over time', kind: 'line',
    hint: 'Failed requests, of all requests',
    axis: (v) => `${+(v * 100).toPrecision(3)}%`, csvName: csvName('errors') }),
};

function chooser(id, text, onChange) {
  const select = h('select', { id, onchange: () => onChange(select.value) });
  return { select, element: h('label', { class: 'chooser' }, h('span', {}, text), select) };
}

function fillChooser({ select }, options, value) {
  const signature = JSON.stringify(options);
  if (select.dataset.signature !== signature) {
    select.dataset.signature = signature;
    select.replaceChildren(...options.map(([id, text]) => h('option', { value: id }, text)));
  }
  if (select.value !== value) select.value = value;
}

const byChooser = chooser('by', 'Stack by', (by) => change({ by }));
const stepChooser = chooser('step', 'One bar per', (step) => change({ step }));
const matrixChooser = chooser('matrix-metric', 'Show', (matrix) => change({ matrix }));
const tableChooser = chooser('table-by', 'By', (table) => change({ table }));

const matrix = new DataTable({ id: 'matrix', caption: 'Source to inference Region',
  sort: { id: 'name', order: 'ascending' }, csvName: csvName('regions') });
const breakdown = new DataTable({ id: 'breakdown', caption: 'Usage by model',
  sort: { id: 'TotalTokenCount', order: 'descending' },
  csvName: () => csvName(`by-${label(state.table).toLowerCase().replace(/[^a-z]+/g, '-')}`)() });
const principals = new DataTable({ id: 'principals', caption: 'Top principals', limit: 12,
  sort: { id: 'TotalTokenCount', order: 'descending' }, csvName: csvName('principals') });
const principalsNote = h('p', { class: 'hint', id: 'principals-note' });
const breakdownTitle = h('h2', {}, 'Models');
const balance = h('dl', { class: 'balance' });
const notes = h('ul', { class: 'notes', id: 'notes' });

function panel(title, tools, ...content) {
  const heading = typeof title === 'string' ? h('h2', {}, title) : title;
  return h('section', { class: 'panel' },
    h('div', { class: 'panel-head' }, heading, tools), ...content);
}

const principalsPanel = panel('Top principals', null, principalsNote, principals.element);

function buildPage() {
  byId('panels').append(
    cards.element,
    notes,
    h('div', { class: 'chart-tools' }, byChooser.element, stepChooser.element,
      h('p', { class: 'hint' }, 'Drag over a chart to zoom in, double-click to see all.')),
    h('div', { class: 'grid' }, charts.tokens.element, charts.cost.element, charts.cache.element,
      charts.errors.element),
    panel('Source to inference Region', matrixChooser.element,
      h('p', { class: 'hint' }, 'Rows: where the call was made. Columns: where it ran. ' +
        'Outlined cells stayed in their Region.'), matrix.element),
    panel(breakdownTitle, tableChooser.element, breakdown.element),
    principalsPanel,
    h('details', { class: 'panel counted' }, h('summary', {}, h('h2', {}, 'What was counted')), balance));
}

/* ---- filters ---- */

const filters = new Map();
const presets = new Map();
const since = h('input', { type: 'datetime-local', id: 'since', 'aria-label': 'From, UTC' });
const until = h('input', { type: 'datetime-local', id: 'until', 'aria-label': 'To, UTC' });
const filterRow = h('div', { class: 'filter-row', role: 'group', 'aria-label': 'Filter by' });
const chips = h('ul', { class: 'chips', 'aria-label': 'Active filters' });
const scope = h('p', { class: 'scope' });

function typedRange() {
  const from = Date.parse(`${since.value}Z`) / 1000;
  const to = Date.parse(`${until.value}Z`) / 1000;
  const wrong = Number.isFinite(from) && Number.isFinite(to) && from >= to;
  until.setCustomValidity(wrong ? 'The end has to be after the start.' : '');
  until.setAttribute('aria-invalid', String(wrong));
  if (Number.isFinite(from) && Number.isFinite(to) && !wrong) setRange({ since: from, until: to });
}

function buildFilters() {
  for (const [id, text, explained] of PRESETS) {
    presets.set(id, h('button', { type: 'button', title: explained,
      onclick: () => change({ range: id, since: null, until: null }) }, text));
  }
  since.addEventListener('change', typedRange);
  until.addEventListener('change', typedRange);
  byId('filters').append(
    h('div', { class: 'time-row' },
      h('button', { type: 'button', class: 'filters-toggle', 'aria-expanded': 'false',
        onclick: (event) => {
          const open = byId('filters').classList.toggle('open');
          event.currentTarget.setAttribute('aria-expanded', String(open));
        } }, 'Filters and dates'),
      h('div', { class: 'segments', role: 'group', 'aria-label': 'Time range' }, ...presets.values()),
      h('div', { class: 'custom' }, since, h('span', { 'aria-hidden': 'true' }, '–'), until,
        h('span', { class: 'hint' }, 'UTC'))),
    filterRow, chips, scope);
}

function filterDimensions() {
  const known = [...dataset.names.dimensions.keys()].filter((id) => dataset.cube.keys.has(id));
  const own = dataset.cube.dimensions.filter((id) => !known.includes(id));
  return [...known, ...own];
}

function renderFilters(range) {
  const dimensions = filterDimensions();
  for (const dimension of new Set([...dimensions, ...state.filters.keys()])) {
    const values = dataset.dictionary.get(dimension) ?? [];
    if (values.length < 2 && !state.filters.has(dimension) && !filters.has(dimension)) continue;
    if (!filters.has(dimension)) {
      const filter = new Filter({ dimension, label: label(dimension), onChange: setFilter });
      filters.set(dimension, filter);
      filterRow.append(filter.element);
    }
  }
  for (const [dimension, filter] of filters) {
    filter.update(dataset.dictionary.get(dimension) ?? [], state.filters.get(dimension) ?? new Set());
  }
  for (const [id, button] of presets) {
    button.setAttribute('aria-pressed', String(state.range === id));
  }
  for (const [input, time] of [[since, range.since], [until, range.until]]) {
    const text = format.isoMinute(time);
    if (document.activeElement !== input && input.value !== text) input.value = text;
  }
  renderChips();
  setText(scope, scopeText(range));
}

function scopeText(range) {
  const parts = [format.span(range.since, range.until)];
  for (const [dimension, values] of state.filters) {
    parts.push(`${label(dimension)}: ${[...values].map((v) => v.slice(0, 80)).join(', ')}`);
  }
  return parts.join(' · ');
}

function renderChips() {
  const wanted = [];
  for (const [dimension, values] of state.filters) {
    for (const value of values) wanted.push({ dimension, value });
  }
  const signature = JSON.stringify(wanted);
  if (chips.dataset.signature === signature) return;
  chips.dataset.signature = signature;
  const focused = chips.contains(document.activeElement);
  const remove = (dimension, value) => {
    const left = new Set(state.filters.get(dimension));
    left.delete(value);
    setFilter(dimension, left);
  };
  chips.replaceChildren(
    ...wanted.map(({ dimension, value }) =>
      h('li', {}, h('button', { type: 'button', class: 'chip', title: `Remove: ${value}`,
        onclick: () => remove(dimension, value) },
      h('span', {}, `${label(dimension)} `), h('bdi', { class: 'name' }, value),
      h('span', { 'aria-hidden': 'true' }, '×'), h('span', { class: 'sr' }, ', remove filter')))),
    ...(wanted.length ? [h('li', {}, h('button', { type: 'button', class: 'quiet',
      onclick: () => change({ filters: new Map() }) }, 'Clear filters'))] : []),
  );
  chips.hidden = wanted.length === 0;
  if (focused) (chips.querySelector('button') ?? filterRow.querySelector('button'))?.focus();
}

/* ---- series and their colours ---- */

/* Values of a dimension by their tokens in the whole data set: the colour of a value is its rank
 * there, so filters do not recolour anything. */
const ranks = new Map();

function rankOf(dimension) {
  if (!ranks.has(dimension)) {
    const { cube } = dataset;
    const { groups, keys } = groupKeys(dataset, cube, [dimension]);
    const all = select(dataset, cube, new Map(), dataset.extent.since, dataset.extent.until);
    const figures = sum(all, keys, groups.length, ['TotalTokenCount']);
    const order = groups
      .map(([name], g) => ({ name, value: figures.value('TotalTokenCount', g) }))
      .sort(byValueThenName);
    const place = (name, i) =>
      dimension === 'InferenceProfileType' ? (TYPES.get(name) ?? 3 + i) : i;
    ranks.set(dimension, new Map(order.map(({ name }, i) => [name, place(name, i)])));
  }
  return ranks.get(dimension);
}

/* The largest groups of the selection with a colour each, and what is left over. */
function chooseSeries(dimension, groups, totals) {
  const rank = rankOf(dimension);
  const present = groups
    .map(([name], group) => ({ name, group, value: totals(group), rank: rank.get(name) }))
    .filter(({ group }) => totals.has(group))
    .sort(byValueThenName);
  const named = present.slice(0, present.length === NAMED_SERIES + 1 ? present.length : NAMED_SERIES);
  const rest = present.slice(named.length);
  const free = new Set([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const s of named) {
    if (dimension === 'InferenceProfileType' && s.name === 'Unknown') s.slot = OTHER_SLOT;
    else if (free.delete(s.rank)) s.slot = s.rank;
  }
  for (const s of named) {
    if (s.slot === undefined) {
      [s.slot] = free;
      free.delete(s.slot);
    }
  }
  return { named: named.sort((a, b) => a.rank - b.rank), rest };
}

/* ---- charts ---- */

function timeColumn(step) {
  const clock = step % 86400 !== 0;
  return {
    id: 'time',
    label: clock ? 'Time (UTC)' : step > 86400 ? 'Week from (UTC)' : 'Day (UTC)',
    kind: 'text',
    get: (row) => row.time,
    text: (row) => {
      if (row.time === null) return 'Total';
      const text = format.iso(row.time);
      return clock ? text.slice(0, 16).replace('T', ' ') : text.slice(0, 10);
    },
    csv: (row) => (row.time === null ? 'Total' : format.iso(row.time)),
  };
}

function stackTable(time, series, cell) {
  const all = { id: 'all', label: 'Total', kind: 'number' };
  const columns = series.map((s, i) => ({ id: String(i), label: s.name, kind: 'number', series: s }));
  if (series.length > 1) columns.push(all);
  for (const column of columns) {
    const at = (row) => {
      if (column.series) return row.at === null ? column.series.all : column.series.cell(row.at);
      return series.map((s) => (row.at === null ? s.all : s.cell(row.at))).reduce((a, b) => ({
        value: a.value + b.value, unpriced: a.unpriced + b.unpriced, near: a.near + b.near }));
    };
    Object.assign(column, {
      get: (row) => at(row).value,
      text: (row) => cell.text(at(row)),
      csv: (row) => cell.csv(at(row)),
      title: (row) => cell.title?.(at(row)),
    });
  }
  const rows = Array.from({ length: time.count }, (_, i) => ({ at: i, time: time.first + i * time.step }));
  return { columns: [timeColumn(time.step), ...columns], rows, total: { at: null, time: null } };
}

const tokenCell = { text: ({ value }) => format.count(value), csv: ({ value }) => String(value) };

function costCell() {
  return {
    text: (c) => costText(dataset, c.value, c.unpriced, c.near),
    title: (c) => costTitle(dataset, c.value, c.unpriced, c.near),
    csv: (c) =>
      c.value === 0n && c.unpriced > 0n ? '' : format.decimal(c.value, dataset.digits),
  };
}

function makeSeries(name, slot, time, read, extra = {}) {
  const cell = (i) => ({
    value: read('value', i), unpriced: read('unpriced', i), near: read('near', i) });
  const values = Array.from({ length: time.count }, (_, i) => read('value', i));
  const all = { value: 0n, unpriced: 0n, near: 0n };
  for (let i = 0; i < time.count; i++) {
    const c = cell(i);
    all.value += c.value;
    all.unpriced += c.unpriced;
    all.near += c.near;
  }
  return { name, slot, values, cell, all, total: all.value, ...extra };
}

function renderStacks(selection, time) {
  const { cube } = dataset;
  const byKind = state.by === 'kind';
  const dimension = !byKind && cube.keys.has(state.by) ? state.by : 'InferenceProfileType';
  const metrics = [...TOKEN_KINDS, 'EstimatedCost', 'UnpricedTokens', 'ApproximateTokens'];
  const { groups, keys } = groupKeys(dataset, cube, byKind ? [] : [dimension]);
  const figures = sum(selection, keys, groups.length, metrics, time);
  const fields = {
    tokens: { value: 'TotalTokenCount' },
    cost: { value: 'EstimatedCost', unpriced: 'UnpricedTokens', near: 'ApproximateTokens' },
  };
  const reader = (chartId, members) => (field, i) => {
    const metric = fields[chartId][field];
    let value = 0n;
    if (metric) for (const group of members) value += figures.value(metric, group, i);
    return value;
  };

  const series = { tokens: [], cost: [] };
  if (byKind) {
    TOKEN_KINDS.forEach((kind, slot) => {
      const read = (field, i) => (field === 'value' ? figures.value(kind, 0, i) : 0n);
      series.tokens.push(makeSeries(dataset.names.metrics.get(kind), slot, time, read));
    });
    series.cost.push(makeSeries('Estimated cost', 0, time, reader('cost', [0])));
  } else {
    const totals = (group) => figures.total('TotalTokenCount', group);
    totals.has = (group) => figures.has(group);
    const { named, rest } = chooseSeries(dimension, groups, totals);
    const chosen = state.filters.get(dimension);
    for (const id of ['tokens', 'cost']) {
      for (const s of named) {
        series[id].push(makeSeries(s.name, s.slot, time, reader(id, [s.group]), {
          pick: { dimension, value: s.name }, picked: chosen?.has(s.name) ?? false }));
      }
      if (rest.length) {
        series[id].push(makeSeries(`${rest.length} others`, OTHER_SLOT, time,
          reader(id, rest.map((s) => s.group))));
      }
    }
  }
  for (const s of series.tokens) s.short = format.countShort(s.total);
  for (const s of series.cost) {
    s.short = costText(dataset, s.all.value, s.all.unpriced, s.all.near, 2);
  }

  const tokens = series.tokens.reduce((t, s) => t + s.total, 0n);
  charts.tokens.update({
    ...time, series: series.tokens, exact: format.count, toNumber: Number,
    figure: format.count(tokens), empty: tokens === 0n ? 'No tokens in this selection.' : null,
    table: () => stackTable(time, series.tokens, tokenCell),
  });
  const sums = series.cost.reduce((t, s) => ({
    value: t.value + s.all.value, unpriced: t.unpriced + s.all.unpriced, near: t.near + s.all.near,
  }), { value: 0n, unpriced: 0n, near: 0n });
  const scale = 10 ** -dataset.digits;
  charts.cost.update({
    ...time, series: series.cost, exact: (v) => format.costExact(v, dataset.digits),
    text: (v) => format.cost(v, dataset.digits, 4),
    toNumber: (v) => Number(v) * scale,
    figure: dataset.hasCost ? costText(dataset, sums.value, sums.unpriced, sums.near) : '',
    empty: dataset.hasCost ? (sums.value > 0n ? null : sums.unpriced > 0n
      ? 'None of these tokens has a price.' : 'No cost in this selection.')
      : 'No price list was used, so there is no cost to show.',
    table: () => stackTable(time, series.cost, costCell()),
  });
  fillChooser(byChooser,
    [...filterDimensions().map((id) => [id, label(id)]), ['kind', 'Token kind']],
    byKind ? 'kind' : dimension);
}

function renderLines(selection, time) {
  const { keys } = groupKeys(dataset, dataset.cube, []);
  const figures = sum(selection, keys, 1, dataset.metrics, time);
  const line = (name, slot, part, whole) => ({
    name, slot, part, whole,
    values: Array.from({ length: time.count }, (_, i) =>
      ratio(figures.value(part, 0, i), figures.value(whole, 0, i))),
  });
  const shareOf = (part, whole) => ratio(figures.total(part, 0), figures.total(whole, 0));
  const lineTable = (series, whole, wholeName) => {
    const value = (metric, row) =>
      row.at === null ? figures.total(metric, 0) : figures.value(metric, 0, row.at);
    const plain = (metric, text) => ({
      id: metric, label: text, kind: 'number', get: (row) => value(metric, row),
      text: (row) => format.count(value(metric, row)), csv: (row) => String(value(metric, row)) });
    const columns = series.flatMap((s) => {
      const share = (row) => ratio(value(s.part, row), value(whole, row));
      return [plain(s.part, s.name), {
        id: `${s.part}%`, label: `${s.name} %`, kind: 'number', get: share,
        text: (row) => format.percent(share(row), 2),
        csv: (row) => (share(row) === null ? '' : (share(row) * 100).toFixed(4)) }];
    });
    const rows = Array.from({ length: time.count }, (_, i) => ({
      at: i, time: time.first + i * time.step }));
    return { columns: [timeColumn(time.step), plain(whole, wholeName), ...columns], rows,
      total: { at: null, time: null } };
  };

  const cache = [line('Cache read', 2, 'CacheReadInputTokenCount', 'PromptTokenCount')];
  charts.cache.update({
    ...time, series: cache, exact: (v) => format.percent(v, 2),
    figure: format.percent(shareOf('CacheReadInputTokenCount', 'PromptTokenCount')),
    empty: figures.total('PromptTokenCount', 0) === 0n ? 'No prompt tokens in this selection.' : null,
    table: () => lineTable(cache, 'PromptTokenCount', 'Prompt tokens'),
  });
  const errors = [
    line('Client errors', 1, 'InvocationClientErrors', 'Records'),
    line('Server errors', 4, 'InvocationServerErrors', 'Records'),
    line('Throttles', 3, 'InvocationThrottles', 'Records'),
  ];
  for (const s of errors) s.short = format.percent(shareOf(s.part, 'Records'), 2);
  charts.errors.update({
    ...time, series: errors, exact: (v) => format.percent(v, 2),
    figure: format.percent(shareOf('Errors', 'Records'), 2),
    empty: figures.total('Records', 0) === 0n ? 'No requests in this selection.' : null,
    table: () => lineTable(errors, 'Records', 'Requests'),
  });
}

/* ---- tables ---- */

function groupRows(selection, dimension) {
  const { groups, keys } = groupKeys(dataset, selection.table, [dimension]);
  const figures = sum(selection, keys, groups.length, dataset.metrics);
  return groups
    .map(([name], g) => (figures.has(g) ? rowOf(figures, g, name, dataset.metrics) : null))
    .filter(Boolean)
    .sort((a, b) => byValueThenName(
      { name: a.name, value: a.TotalTokenCount }, { name: b.name, value: b.TotalTokenCount }));
}

function renderMatrix(selection, total) {
  const { groups, keys } = groupKeys(dataset, dataset.cube, ['SourceRegion', 'InferenceRegion']);
  const metric = MATRIX_METRICS.some(([id]) => id === state.matrix) ? state.matrix : 'TotalTokenCount';
  const money = metric === 'EstimatedCost';
  const figures = sum(selection, keys, groups.length,
    [metric, 'UnpricedTokens', 'ApproximateTokens']);
  const rows = new Map();
  const columnTotals = new Map();
  const nothing = () => ({ value: 0n, unpriced: 0n, near: 0n });
  const add = (to, cell) => {
    to.value += cell.value;
    to.unpriced += cell.unpriced;
    to.near += cell.near;
  };
  const whole = nothing();
  groups.forEach(([source, inference], g) => {
    if (!figures.has(g)) return;
    const cell = {
      value: figures.value(metric, g),
      unpriced: money ? figures.value('UnpricedTokens', g) : 0n,
      near: money ? figures.value('ApproximateTokens', g) : 0n,
    };
    if (!rows.has(source)) rows.set(source, { name: source, cells: new Map(), sum: nothing() });
    if (!columnTotals.has(inference)) columnTotals.set(inference, nothing());
    rows.get(source).cells.set(inference, cell);
    add(rows.get(source).sum, cell);
    add(columnTotals.get(inference), cell);
    add(whole, cell);
  });
  const most = [...rows.values()]
    .flatMap((row) => [...row.cells.values()])
    .reduce((m, c) => (c.value > m ? c.value : m), 0n);
  const read = money ? costCell() : tokenCell;
  const figure = (of) => ({
    kind: 'number',
    get: (row) => of(row)?.value ?? null,
    text: (row) => (of(row) ? read.text(of(row)) : ''),
    csv: (row) => (of(row) ? read.csv(of(row)) : ''),
    title: (row) => {
      const cell = of(row);
      if (!cell) return null;
      const share = `${format.percent(ratio(cell.value, whole.value))} of all`;
      return money ? `${read.title(cell)}; ${share}` : share;
    },
  });
  const columns = [
    { id: 'name', label: 'From \\ to', kind: 'name', get: (r) => r.name, text: (r) => r.name },
    ...[...columnTotals.keys()].sort().map((inference) => ({
      id: `r:${inference}`,
      label: inference,
      ...figure((row) => row.cells.get(inference)),
      heat: (row) => {
        const cell = row.cells.get(inference);
        return cell && !row.total && most > 0n ? Math.sqrt(ratio(cell.value, most)) : 0;
      },
      home: (row) => row.name === inference && !row.total,
    })),
    { id: 'sum', label: 'Total', ...figure((row) => row.sum) },
  ];
  matrix.setCaption(`Source to inference Region: ${MATRIX_METRICS.find(([id]) => id === metric)[1]}`);
  matrix.update(columns, [...rows.values()],
    { name: 'Total', cells: columnTotals, sum: whole, total: true });
  fillChooser(matrixChooser,
    MATRIX_METRICS.filter(([id]) => id !== 'EstimatedCost' || dataset.hasCost), metric);
}

function renderTables(selection, total, range) {
  const dimension = dataset.cube.keys.has(state.table) ? state.table : dataset.cube.dimensions[0];
  setText(breakdownTitle, labels(dimension));
  breakdown.setCaption(`Usage by ${label(dimension)}`);
  breakdown.update(breakdownColumns(dataset, dimension, total), groupRows(selection, dimension),
    { ...total, name: 'Total' });
  fillChooser(tableChooser, filterDimensions().map((id) => [id, label(id)]), dimension);

  const table = dataset.principals;
  principalsPanel.hidden = !table?.keys.has('Principal');
  if (principalsPanel.hidden) return;
  const own = select(dataset, table, state.filters, range.since, range.until);
  const { keys } = groupKeys(dataset, table, []);
  const ownTotal = rowOf(sum(own, keys, 1, dataset.metrics), 0, 'Total', dataset.metrics);
  const remarks = [];
  if (own.since === -Infinity) remarks.push('This table covers the whole data set, not the chosen time.');
  else if (own.since < range.since || own.until > range.until) {
    remarks.push(`Kept by the ${format.duration(table.interval)}, so this table covers ` +
      `${format.span(own.since, own.until)}.`);
  }
  if (own.missing.length) {
    remarks.push(`Not filtered by ${own.missing.map(label).join(', ')}, which this table does not have.`);
  }
  setText(principalsNote, remarks.join(' '));
  principalsNote.hidden = remarks.length === 0;
  principals.update(breakdownColumns(dataset, 'Principal', ownTotal), groupRows(own, 'Principal'),
    ownTotal);
}

/* ---- balance, notes, footer ---- */

function whole(value) {
  if (Number.isSafeInteger(value)) return format.count(value);
  return typeof value === 'string' && /^[0-9]{1,39}$/.test(value) ? format.count(BigInt(value)) : '–';
}

function balanceLines(part) {
  const lines = [];
  for (const name of ['found', 'counted', 'duplicate', 'failed']) {
    if (part?.[name] !== undefined) lines.push([name, whole(part[name])]);
  }
  const skipped = Object.entries(part?.skipped ?? {});
  for (const [reason, n] of skipped) lines.push([`skipped: ${reason}`, whole(n)]);
  return lines;
}

function renderAbout() {
  const { balance: counted, prices } = dataset;
  const group = (title, lines) => lines.length
    ? [h('div', {}, h('dt', {}, title), ...lines.map(([name, text]) =>
        h('dd', {}, h('span', {}, name), h('b', {}, text))))]
    : [];
  const size = counted?.bytes;
  balance.replaceChildren(
    ...group('Objects (log files)', balanceLines(counted?.objects)),
    ...group('Records', balanceLines(counted?.records)),
    ...group('Bytes of counted objects', ['read', 'inflated']
      .filter((n) => Number.isSafeInteger(size?.[n])).map((n) => [n, format.bytes(size[n])])),
  );
  balance.parentElement.hidden = balance.children.length === 0;

  const lines = [];
  const failed = counted?.objects?.failed;
  if (Number(failed) > 0) {
    lines.push(`${whole(failed)} log files could not be read and are not in these figures.`);
  }
  for (const fold of dataset.folded) {
    lines.push(`${label(String(fold.dimension))}: the largest ${whole(fold.kept)} are shown by name, ` +
      `${whole(fold.folded)} more are combined into Other.`);
  }
  lines.push(...dataset.notes);
  notes.replaceChildren(...lines.map((line) => h('li', {}, line)));
  notes.hidden = lines.length === 0;

  const from = dataset.source ? [' from ', h('bdi', {}, dataset.source)] : [];
  byId('footer').replaceChildren(
    h('p', {}, ...(dataset.generated === null ? ['Figures'] : [`As of ${format.dayAndTime(dataset.generated)}`]),
      ...from, dataset.program ? `, by ${dataset.program}` : '', '. All times are UTC.'),
    h('p', {}, prices
      ? `Cost is estimated from list prices${prices.name ? ` (${prices.name})` : ''} as of ` +
        `${prices.as_of}${prices.regions_as_of ? ` (Regions as of ${prices.regions_as_of})` : ''}: ` +
        'no discounts, credits or tax. Tokens without a price are counted as unpriced, never as free.'
      : 'No price list was used.'),
    h('p', {}, 'Charts: uPlot, © Leon Sorokin, MIT licence.'),
  );
}

/* ---- render ---- */

function message(title, text, button) {
  byId('panels').hidden = true;
  const box = byId('message');
  box.hidden = false;
  const signature = `${title}\n${text}`;
  if (box.dataset.signature === signature) return;
  box.dataset.signature = signature;
  box.replaceChildren(h('h2', {}, title), h('p', {}, text), ...(button ? [button] : []));
}

function renderStatus() {
  const status = byId('status');
  let mode = 'wait';
  let text = 'Loading';
  if (problem) {
    mode = 'bad';
    text = dataset ? `Not current: ${problem}` : 'No data';
  } else if (offline && dataset) {
    mode = 'report';
    text = dataset.generated === null ? 'Report' : `Report of ${format.dayAndTime(dataset.generated)}`;
  } else if (updatedAt !== null) {
    mode = 'live';
    text = `Live, updated ${new Date(updatedAt).toISOString().slice(11, 19)} UTC`;
  }
  status.dataset.state = mode;
  setText(status.lastElementChild, text);
}

function render() {
  renderStatus();
  if (!dataset) return;
  const title = dataset.source ? `Bedrock usage – ${dataset.source.slice(0, 80)}` : 'Bedrock usage';
  if (document.title !== title) document.title = title;
  setText(byId('source'), dataset.source);
  byId('source').title = dataset.source;
  renderAbout();
  if (!dataset.extent) {
    byId('filters').hidden = true;
    message('No invocations yet', offline
      ? 'The logs of this report contain no Bedrock invocations.'
      : 'The page fills in as soon as a log file with invocations arrives.');
    return;
  }
  byId('filters').hidden = false;
  const range = currentRange();
  renderFilters(range.since < range.until ? range : timeRange(state, dataset.extent));
  const selection = select(dataset, dataset.cube, state.filters, range.since, range.until);
  const { keys } = groupKeys(dataset, dataset.cube, []);
  const figures = sum(selection, keys, 1, dataset.metrics);
  if (range.since >= range.until || !figures.has(0)) {
    message('Nothing matches these filters',
      'No invocation in the data has all of the chosen values in the chosen time.',
      h('button', { type: 'button', onclick: () => change(emptyState()) }, 'Clear filters and time'));
    return;
  }
  byId('message').hidden = true;
  byId('message').dataset.signature = '';
  byId('panels').hidden = false;

  const total = rowOf(figures, 0, 'Total', dataset.metrics);
  renderCards(selection, total, range);

  const length = selection.until - selection.since;
  const { usable, automatic } = stepsFor(dataset.cube.interval, length,
    innerWidth < NARROW ? 80 : 200);
  const chosen = Number(state.step);
  const step = usable.includes(chosen) ? chosen : automatic;
  fillChooser(stepChooser,
    [['auto', `Automatic (${format.duration(automatic)})`],
      ...usable.map((s) => [String(s), format.duration(s)])],
    step === chosen ? String(step) : 'auto');
  const first = stepStart(selection.since, step);
  const time = { first, step, count: Math.ceil((selection.until - first) / step) };
  renderStacks(selection, time);
  renderLines(selection, time);
  renderMatrix(selection, total);
  renderTables(selection, total, selection);
}

function renderCards(selection, total, range) {
  let before = null;
  const length = range.until - range.since;
  if (range.since - length >= dataset.extent.since) {
    const earlier = select(dataset, dataset.cube, state.filters, range.since - length, range.since);
    const { keys } = groupKeys(dataset, dataset.cube, []);
    before = rowOf(sum(earlier, keys, 1, dataset.metrics), 0, 'before', dataset.metrics);
  }
  const { groups, keys } = groupKeys(dataset, dataset.cube, ['InferenceProfileType']);
  const byType = sum(selection, keys, groups.length, ['TotalTokenCount']);
  const rank = rankOf('InferenceProfileType');
  const types = groups
    .map(([name], g) => ({
      name, slot: TYPES.get(name) < 8 ? TYPES.get(name) : OTHER_SLOT,
      value: byType.value('TotalTokenCount', g) }))
    .filter((t) => t.value > 0n)
    .sort((a, b) => rank.get(a.name) - rank.get(b.name));
  cards.update(dataset, total, types, before, format.duration(length));
}

/* ---- start ---- */

function accept(json) {
  const next = decodeDataset(json);
  if (!next.cube.keys.has('InferenceProfileType') || !next.cube.keys.has('SourceRegion') ||
      !next.cube.keys.has('InferenceRegion') || !next.cube.keys.has('ModelId')) {
    throw new Error('the data set lacks a dimension this page needs');
  }
  useDimensions(next.names.dimensions);
  if (!dataset) state = readHash(location.hash);
  dataset = next;
  ranks.clear();
  problem = null;
  render();
}

function showError(error, retry) {
  problem = error.message;
  renderStatus();
  if (dataset) return;
  const sentence = `${problem[0].toUpperCase()}${problem.slice(1)}`.replace(/[^.]$/, '$&.');
  message('The data cannot be shown', sentence, retry
    ? h('button', { type: 'button', onclick: retry }, 'Try again') : null);
}

async function start() {
  buildFilters();
  buildPage();
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault();
    byId('main').focus();
  });
  byId('print').addEventListener('click', () => print());
  startTheme(byId('theme'), (printing) => {
    for (const c of Object.values(charts)) {
      c.resize(printing ? PRINT_WIDTH : undefined);
      c.redraw();
    }
  });
  addEventListener('hashchange', () => {
    state = readHash(location.hash);
    render();
  });
  try {
    const json = await embeddedJson();
    if (json) {
      offline = true;
      accept(json);
      return;
    }
  } catch (error) {
    offline = true;
    showError(error);
    return;
  }
  await follow({
    onJson: accept,
    onCurrent: () => {
      updatedAt = Date.now();
      problem = null;
      renderStatus();
    },
    onError: (error, pause) => {
      const what = /fetch|network|timed? ?out|abort/i.test(error.message)
        ? 'the server does not answer' : error.message;
      showError(new Error(`${what}; next try in ${Math.round(pause / 1000)} s`),
        () => follow.retry?.());
    },
  });
}

start();
