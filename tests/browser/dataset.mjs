/*
 * Page data sets for the tests: a month of a plausible organisation, always the same for the same
 * seed, and names made to break a page.
 */

import { gzipSync } from 'node:zlib';

export const HOSTILE = {
  model: '<img src=x onerror="window.__hacked=1">',
  account: '"><script>window.__hacked=2</script>',
  principal: 'role/</script><script>window.__hacked=3</script>',
  rtl: 'role/\u202Egnitekram\u202C-\u05D0\u05D1\u05D2',
  long: `role/${'very-long-name-'.repeat(272)}`.slice(0, 4096),
  formula: '=HYPERLINK("http://192.0.2.1/","x")',
  template: 'role/{{constructor.constructor("window.__hacked=4")()}}',
};

export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/* Dollars per million tokens, as units of 1e-12 USD a token. */
const MODELS = [
  ['anthropic.claude-sonnet-4-5-20250929-v1:0', [3000000, 15000000, 300000, 3750000], 10],
  ['anthropic.claude-haiku-4-5-20251001-v1:0', [1000000, 5000000, 100000, 1250000], 6],
  ['anthropic.claude-opus-4-5-20251101-v1:0', [5000000, 25000000, 500000, 6250000], 3],
  ['amazon.nova-pro-v1:0', [800000, 3200000, 200000, 0], 4],
  ['amazon.nova-lite-v1:0', [60000, 240000, 15000, 0], 5],
  ['meta.llama3-3-70b-instruct-v1:0', [720000, 720000, 0, 0], 2],
  ['amazon.titan-embed-text-v2:0', [20000, 0, 0, 0], 8],
  ['mistral.mistral-large-2407-v1:0', [2000000, 6000000, 0, 0], 1],
  ['openai.gpt-oss-120b-1:0', [150000, 600000, 0, 0], 2],
  ['custom-model/support-bot/x7k2', null, 1],
];
const ROUTES = [
  ['InRegion', 'us-east-1', ['us-east-1']],
  ['InRegion', 'eu-central-1', ['eu-central-1']],
  ['CrossRegion', 'us-east-1', ['us-east-1', 'us-east-2', 'us-west-2']],
  ['CrossRegion', 'us-west-2', ['us-east-1', 'us-east-2', 'us-west-2']],
  ['CrossRegion', 'eu-central-1', ['eu-central-1', 'eu-west-1', 'eu-north-1']],
  ['CrossRegion', 'ap-northeast-1', ['ap-northeast-1', 'ap-southeast-2']],
  ['GlobalCrossRegion', 'us-east-1', ['us-east-1', 'us-west-2', 'eu-west-1', 'unknown']],
  ['GlobalCrossRegion', 'eu-west-1', ['eu-west-1', 'us-east-2', 'ap-northeast-1']],
  ['Unknown', 'eu-central-1', ['unknown']],
];
const ACCOUNTS = ['111122223333', '444455556666', '777788889999', '123456789012'];
const METRICS = [
  'Invocations', 'InputTokenCount', 'OutputTokenCount', 'CacheReadInputTokenCount',
  'CacheWriteInputTokenCount', 'InvocationClientErrors', 'InvocationServerErrors',
  'InvocationThrottles', 'EstimatedCost', 'UnpricedTokens',
];
const CUBE = ['InferenceProfileType', 'ModelId', 'SourceRegion', 'InferenceRegion', 'AccountId'];
const WHO = ['Principal', 'InferenceProfileType', 'ModelId', 'SourceRegion', 'AccountId', 'Operation'];

export const NAMES = {
  metrics: {
    Invocations: 'Invocations', InputTokenCount: 'Input', OutputTokenCount: 'Output',
    CacheReadInputTokenCount: 'Cache read', CacheWriteInputTokenCount: 'Cache write',
    TotalTokenCount: 'Total tokens', InvocationClientErrors: 'Client err',
    InvocationServerErrors: 'Server err', InvocationThrottles: 'Throttles',
    EstimatedCost: 'Est. cost USD', UnpricedTokens: 'Unpriced', ApproximateTokens: 'Approximate',
  },
  dimensions: {
    InferenceProfileType: ['Profile type', 'Profile types', 'type'],
    InferenceProfile: ['Inference profile', 'Inference profiles', 'profile'],
    ModelId: ['Model', 'Models', 'model'],
    SourceRegion: ['Source Region', 'Source Regions', 'source'],
    InferenceRegion: ['Inference Region', 'Inference Regions', 'inference'],
    AccountId: ['Account', 'Accounts', 'account'],
    Operation: ['Operation', 'Operations', 'operation'],
    Principal: ['Principal', 'Principals', 'principal'],
  },
};

/* Rows of { time, dimensions..., metrics... } into a table of the page data set. */
function table(rows, dimensions, interval, start, dictionary) {
  const index = new Map(dimensions.map((d) => [d, new Map(dictionary[d].map((v, i) => [v, i]))]));
  const series = new Map();
  for (const row of rows) {
    const key = dimensions.map((d) => index.get(d).get(row[d])).join(',');
    if (!series.has(key)) series.set(key, new Map());
    const bucket = interval ? Math.floor((row.time - start) / interval) : 0;
    const cells = series.get(key);
    if (!cells.has(bucket)) cells.set(bucket, METRICS.map(() => 0n));
    const cell = cells.get(bucket);
    METRICS.forEach((m, i) => { cell[i] += BigInt(row[m]); });
  }
  const out = { interval, start, dimensions, series: dimensions.map(() => []), rows: [], time: [],
    metrics: Object.fromEntries(METRICS.map((m) => [m, []])) };
  for (const [key, cells] of series) {
    key.split(',').forEach((v, d) => out.series[d].push(Number(v)));
    out.rows.push(cells.size);
    let last = 0;
    for (const bucket of [...cells.keys()].sort((a, b) => a - b)) {
      out.time.push(bucket - last);
      last = bucket;
      cells.get(bucket).forEach((v, i) => {
        out.metrics[METRICS[i]].push(v > BigInt(Number.MAX_SAFE_INTEGER) ? String(v) : Number(v));
      });
    }
  }
  if (!interval) delete out.time;
  return out;
}

export function makeDataset({ days = 30, seed = 1, hostile = false, huge = false, priced = true,
  version = 'v1', end = 1764028800, density = 1 } = {}) {
  const next = random(seed);
  const start = end - days * 86400;
  const models = MODELS.map((m) => [...m]);
  const accounts = [...ACCOUNTS];
  const roles = Array.from({ length: 36 }, (_, i) =>
    `role/${['search', 'support', 'etl', 'agents', 'notebook', 'ci'][i % 6]}-${['prod', 'stage', 'dev'][i % 3]}-${i}`);
  roles.push('user/alice', 'root', 'unknown');
  if (hostile) {
    models.push([HOSTILE.model, null, 6]);
    accounts.push(HOSTILE.account);
    roles.unshift(HOSTILE.principal, HOSTILE.rtl, HOSTILE.long, HOSTILE.template, HOSTILE.formula);
  }
  const lanes = [];
  for (const [type, source, targets] of ROUTES) {
    for (const [model, price, weight] of models) {
      if (type === 'Unknown' && price) continue;
      if (type !== 'Unknown' && model.startsWith('custom-model')) continue;
      for (const account of accounts) {
        if (next() > 0.28 * density && !(hostile && model === HOSTILE.model)) continue;
        lanes.push({ type, source, targets, model, price, account,
          size: weight * (0.2 + next()), cached: price?.[2] ? 0.3 + 0.5 * next() : 0,
          role: roles[Math.floor(next() * next() * roles.length)],
          operation: next() < 0.5 ? 'Converse' : next() < 0.6 ? 'ConverseStream' : 'InvokeModel' });
      }
    }
  }
  const rows = [];
  for (let time = start; time < end; time += 3600) {
    const hour = (time / 3600) % 24;
    const weekend = [0, 6].includes(new Date(time * 1000).getUTCDay());
    const load = (0.25 + Math.max(0, Math.sin(((hour - 6) / 24) * 2 * Math.PI))) * (weekend ? 0.4 : 1) *
      (0.7 + 0.5 * ((time - start) / (end - start)));
    for (const lane of lanes) {
      for (const target of lane.targets) {
        const calls = Math.floor(lane.size * load * next() * 14 / lane.targets.length);
        if (calls === 0) continue;
        const prompt = Math.floor(calls * (400 + 5200 * next()));
        const read = Math.floor(prompt * lane.cached * (0.7 + 0.3 * next()));
        const write = lane.cached ? Math.floor((prompt - read) * 0.2) : 0;
        const embed = lane.model.includes('embed');
        const row = {
          time, InferenceProfileType: lane.type, ModelId: lane.model, SourceRegion: lane.source,
          InferenceRegion: target, AccountId: lane.account, Operation: lane.operation,
          Principal: next() < 0.85 ? lane.role : roles[Math.floor(next() * roles.length)],
          Invocations: calls, InputTokenCount: prompt - read - write,
          OutputTokenCount: embed ? 0 : Math.floor(calls * (80 + 700 * next())),
          CacheReadInputTokenCount: read, CacheWriteInputTokenCount: write,
          InvocationClientErrors: next() < 0.03 ? Math.ceil(calls * 0.1) : 0,
          InvocationServerErrors: next() < 0.015 ? 1 + Math.floor(next() * 3) : 0,
          InvocationThrottles: load > 1.1 && next() < 0.12 ? Math.ceil(calls * 0.25) : 0,
          EstimatedCost: 0, UnpricedTokens: 0,
        };
        const kinds = [row.InputTokenCount, row.OutputTokenCount, read, write];
        if (lane.price && priced) {
          row.EstimatedCost = kinds.reduce((s, n, i) => s + n * lane.price[i], 0);
        } else {
          row.UnpricedTokens = kinds.reduce((s, n) => s + n, 0);
        }
        rows.push(row);
      }
    }
  }
  if (huge) {
    for (const row of rows.slice(0, 400)) row.InputTokenCount = '9007199254740993';
    for (const row of rows.slice(400, 800)) row.OutputTokenCount = 9007199254740991;
  }
  const dictionary = {};
  for (const d of new Set([...CUBE, ...WHO])) dictionary[d] = [...new Set(rows.map((r) => r[d]))].sort();
  const records = rows.reduce((s, r) => s + r.Invocations + r.InvocationClientErrors +
    r.InvocationServerErrors + r.InvocationThrottles, 0);
  const json = {
    schema: 'bedrock-metrics/page/1',
    version,
    generated: end + 93,
    program: 'bedrock-metrics 0.1.0',
    source: '/var/log/bedrock',
    range: { since: start, until: end },
    costExponent: -12,
    prices: { name: 'built in', as_of: '2026-10-08', regions_as_of: '2026-08-20' },
    balance: {
      objects: { found: 20344, counted: 20321, duplicate: 2, failed: 0,
        skipped: { permission_check: 9, offloaded_body: 12 } },
      records: { found: records + 31, counted: records, skipped: { malformed: 4, not_invocation_log: 27 } },
      bytes: { read: 812345678, inflated: 9123456789 },
    },
    folded: [],
    notes: [],
    names: NAMES,
    dictionary,
    cube: table(rows, CUBE, 3600, start, dictionary),
    principals: table(rows, WHO, 86400, start, dictionary),
  };
  if (!priced) {
    delete json.prices;
    for (const t of [json.cube, json.principals]) {
      delete t.metrics.EstimatedCost;
      delete t.metrics.UnpricedTokens;
    }
  }
  return json;
}

const MARKER = '<!--BEDROCK-METRICS-DATA-->';

/* The page with the data inside, as `report` writes it. */
export function offlineReport(html, json, { packed = false } = {}) {
  const text = JSON.stringify(json);
  const element = packed
    ? `<script type="application/json" id="bedrock-metrics-data" data-encoding="gzip+base64">${
      gzipSync(text, { level: 9 }).toString('base64')}</script>`
    : `<script type="application/json" id="bedrock-metrics-data">${
      text.replaceAll('<', '\\u003c')}</script>`;
  const at = html.indexOf(MARKER);
  return html.slice(0, at) + element + html.slice(at + MARKER.length);
}
