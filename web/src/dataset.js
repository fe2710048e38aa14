/*
 * The page data set (bedrock-metrics/page/1, web/README.md) from its JSON form into typed columns.
 * Everything is checked here, so that the rest of the page can trust it; what does not fit is a
 * DataError with a sentence for people.
 */

export const SCHEMA = 'bedrock-metrics/page/1';

export const TOKEN_KINDS = [
  'InputTokenCount',
  'OutputTokenCount',
  'CacheReadInputTokenCount',
  'CacheWriteInputTokenCount',
];
export const ERROR_KINDS = [
  'InvocationClientErrors',
  'InvocationServerErrors',
  'InvocationThrottles',
];
export class DataError extends Error {}

function fail(what) {
  throw new DataError(what);
}

function isIndex(value, below) {
  return Number.isInteger(value) && value >= 0 && value < below;
}

/* One metric column: doubles where they are exact, the rare larger values next to them. */
function decodeColumn(name, column, length) {
  if (!Array.isArray(column) || column.length !== length) {
    fail(`Column ${name} does not have ${length} values.`);
  }
  const values = new Float64Array(length);
  let big = null;
  for (let i = 0; i < length; i++) {
    const value = column[i];
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value) || value < 0) fail(`Column ${name}: ${value} is not a count.`);
      values[i] = value;
    } else if (typeof value === 'string' && /^(0|[1-9][0-9]{0,38})$/.test(value)) {
      big ??= new Map();
      big.set(i, BigInt(value));
    } else {
      fail(`Column ${name} contains a value that is not a count.`);
    }
  }
  return { values, big };
}

const isText = (value) => typeof value === 'string';

/* What to call metrics and dimensions: the program has the one list of them. */
function decodeNames(names) {
  const metrics = new Map(Object.entries(names?.metrics ?? {}));
  const dimensions = new Map(Object.entries(names?.dimensions ?? {}));
  if (metrics.size === 0 || ![...metrics.values()].every(isText)) {
    fail('The names of the metrics are missing.');
  }
  if (![...dimensions.values()].every((d) => Array.isArray(d) && d.length === 3 && d.every(isText))) {
    fail('The names of a dimension are not three texts.');
  }
  return { metrics, dimensions };
}

function decodeTable(name, table, dictionary, known) {
  if (table === null || typeof table !== 'object') fail(`The table "${name}" is missing.`);
  const { interval, start, dimensions, series, rows, time, metrics } = table;
  if (!isIndex(interval, 1e9)) fail(`${name}: the interval is not a number of seconds.`);
  if (interval > 0 && (!Number.isSafeInteger(start) || start % interval !== 0)) {
    fail(`${name}: start is not a multiple of the interval.`);
  }
  if (!Array.isArray(dimensions) || !Array.isArray(series) || series.length !== dimensions.length) {
    fail(`${name}: dimensions and series do not match.`);
  }
  if (!Array.isArray(rows)) fail(`${name}: rows is missing.`);
  const count = rows.length;
  const keys = new Map();
  dimensions.forEach((dimension, d) => {
    const values = dictionary.get(dimension);
    if (!values) fail(`${name}: ${dimension} has no dictionary.`);
    if (!Array.isArray(series[d]) || series[d].length !== count) {
      fail(`${name}: ${dimension} does not have ${count} series.`);
    }
    if (!series[d].every((v) => isIndex(v, values.length))) {
      fail(`${name}: ${dimension} points outside its dictionary.`);
    }
    keys.set(dimension, Uint32Array.from(series[d]));
  });

  const first = new Uint32Array(count + 1);
  for (let s = 0; s < count; s++) {
    if (!isIndex(rows[s], 1e8)) fail(`${name}: rows contains a value that is not a count.`);
    first[s + 1] = first[s] + rows[s];
  }
  const length = first[count];
  const times = new Float64Array(length);
  if (interval > 0) {
    if (!Array.isArray(time) || time.length !== length) fail(`${name}: time has a wrong length.`);
    for (let s = 0; s < count; s++) {
      let bucket = 0;
      for (let r = first[s]; r < first[s + 1]; r++) {
        if (!isIndex(time[r], 1e10)) fail(`${name}: time contains a value that is not a step.`);
        bucket += time[r];
        times[r] = start + bucket * interval;
      }
    }
  }
  const columns = new Map();
  for (const metric of known) {
    if (metrics?.[metric] !== undefined) {
      columns.set(metric, decodeColumn(`${name}.${metric}`, metrics[metric], length));
    }
  }
  return { name, interval, dimensions, keys, count, first, length, times, columns };
}

function extent(table, range) {
  let since = Infinity;
  let until = -Infinity;
  for (const t of table.times) {
    if (t < since) since = t;
    if (t + table.interval > until) until = t + table.interval;
  }
  if (range && Number.isSafeInteger(range.since) && Number.isSafeInteger(range.until)) {
    since = Math.min(since, Math.floor(range.since / table.interval) * table.interval);
    until = Math.max(until, Math.ceil(range.until / table.interval) * table.interval);
  }
  return since < until ? { since, until } : null;
}

export function decodeDataset(json) {
  if (json === null || typeof json !== 'object') fail('The data set is not a JSON object.');
  if (json.schema !== SCHEMA) {
    fail(`This page reads ${SCHEMA}; the data set says ${String(json.schema).slice(0, 60)}.`);
  }
  const dictionary = new Map();
  for (const [dimension, values] of Object.entries(json.dictionary ?? {})) {
    if (!Array.isArray(values) || !values.every((v) => typeof v === 'string')) {
      fail(`The dictionary of ${dimension} is not a list of strings.`);
    }
    dictionary.set(dimension, values);
  }
  const names = decodeNames(json.names);
  const metrics = [...names.metrics.keys()];
  const cube = decodeTable('cube', json.cube, dictionary, metrics);
  if (cube.interval === 0) fail('The cube has no time.');
  const principals = json.principals
    ? decodeTable('principals', json.principals, dictionary, metrics) : null;
  const exponent = json.costExponent ?? -12;
  if (!Number.isInteger(exponent) || exponent > 0 || exponent < -30) {
    fail('costExponent is out of range.');
  }
  return {
    version: String(json.version ?? ''),
    generated: Number.isSafeInteger(json.generated) ? json.generated : null,
    program: typeof json.program === 'string' ? json.program : '',
    source: typeof json.source === 'string' ? json.source : '',
    prices: json.prices && typeof json.prices === 'object' ? json.prices : null,
    balance: json.balance && typeof json.balance === 'object' ? json.balance : null,
    folded: Array.isArray(json.folded) ? json.folded : [],
    notes: Array.isArray(json.notes) ? json.notes.filter((n) => typeof n === 'string') : [],
    digits: -exponent,
    names,
    metrics,
    dictionary,
    cube,
    principals,
    extent: extent(cube, json.range),
    hasCost: cube.columns.has('EstimatedCost'),
    hasApproximate: cube.columns.has('ApproximateTokens'),
  };
}

async function gunzipBase64(text) {
  const binary = atob(text.trim());
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

/* The data set inside this file, or null when the page is served and has to fetch it. */
export async function embeddedJson() {
  const element = document.getElementById('bedrock-metrics-data');
  if (!element) return null;
  try {
    const packed = element.dataset.encoding === 'gzip+base64';
    return JSON.parse(packed ? await gunzipBase64(element.textContent) : element.textContent);
  } catch (error) {
    throw new DataError(`The data in this report cannot be read (${error.message}).`);
  }
}
