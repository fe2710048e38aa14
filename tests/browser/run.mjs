/*
 * The usage page in a real browser.  README.md says how to run it.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openBrowser } from './browser.mjs';
import { HOSTILE, makeDataset, offlineReport, random } from './dataset.mjs';
import { dollars, grouped, one, rowsOf, sums } from './oracle.mjs';
import { Program } from './program.mjs';
import { MockServer } from './server.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pageFile = process.env.PAGE ?? join(root, 'build', 'web', 'index.html');
const shots = join(root, 'build', 'screenshots');
const scratch = mkdtempSync(join(tmpdir(), 'bedrock-reports-'));
mkdirSync(shots, { recursive: true });

const html = readFileSync(pageFile, 'utf8');
const month = makeDataset();
const nasty = makeDataset({ days: 5, seed: 7, hostile: true });
const small = makeDataset({ days: 3, seed: 3 });

const browser = await openBrowser();
const { context } = browser;
const outside = [];
context.on('request', (request) => {
  const { protocol, hostname } = new URL(request.url());
  const own = ['file:', 'data:', 'blob:'].includes(protocol) || hostname === '127.0.0.1' ||
    (process.env.BASE_URL && hostname === new URL(process.env.BASE_URL).hostname);
  if (!own) outside.push(request.url());
});

/* ---- harness ---- */

let passed = 0;
let failed = 0;
let allowed = [];

async function test(name, body) {
  if (process.env.ONLY && !name.includes(process.env.ONLY)) return;
  const page = await context.newPage();
  const complaints = [];
  allowed = [];
  page.on('console', (m) => {
    if (['error', 'warning'].includes(m.type())) complaints.push(m.text());
  });
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.setDefaultTimeout(8000);
  const cleanup = [];
  try {
    await page.emulateMedia({ colorScheme: 'light', media: 'screen' });
    await page.setViewportSize({ width: 1360, height: 900 });
    await body(page, (f) => cleanup.push(f));
    const left = complaints.filter((c) => !allowed.some((a) => a.test(c)));
    assert.deepEqual(left, [], 'the console stays empty');
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${String(error.stack).split('\n').slice(0, 12).join('\n     ')}`);
    if (complaints.length) console.log(`     console: ${complaints.join(' | ').slice(0, 800)}`);
    await page.screenshot({ path: join(shots, 'failed.png'), fullPage: true }).catch(() => {});
  } finally {
    for (const f of cleanup) await f();
    await page.close();
  }
}

let reports = 0;

async function openReport(page, json, { hash = '', packed = false } = {}) {
  const file = join(scratch, `report-${reports++}.html`);
  writeFileSync(file, offlineReport(html, json, { packed }));
  await page.goto(pathToFileURL(file).href + hash);
  await page.waitForFunction(() => document.getElementById('status').dataset.state !== 'wait');
}

async function openServed(page, json, defer, hash = '') {
  const server = await new MockServer(html, json).start();
  defer(() => server.stop());
  await page.goto(server.url + hash);
  await page.waitForFunction(() => document.getElementById('status').dataset.state === 'live');
  return server;
}

/* ---- reading the page ---- */

const readTable = (page, id) => page.evaluate((tableId) => {
  const table = document.getElementById(tableId);
  const cells = (row) => [...row.cells].map((c) => c.textContent);
  return {
    head: cells(table.tHead.rows[0]),
    body: [...table.tBodies[0].rows].map(cells),
    foot: [...table.tFoot.rows].map(cells),
    titles: [...table.tBodies[0].rows].map((r) => [...r.cells].map((c) => c.title)),
  };
}, id);

async function showAll(page, id) {
  await page.evaluate((tableId) => {
    const more = document.getElementById(tableId).closest('.data-table').querySelector('.more');
    if (!more.hidden && more.textContent.startsWith('Show all')) more.click();
  }, id);
}

const title = (page, id) => page.getAttribute(`#card-${id}`, 'title');

function checkCards(page, sum) {
  return (async () => {
    assert.equal(await title(page, 'tokens'), `${grouped(sum.Total)} tokens`);
    assert.equal(await title(page, 'invocations'), `${grouped(sum.Invocations)} invocations`);
    assert.ok((await title(page, 'cost')).startsWith(`Estimated: ${dollars(sum.EstimatedCost)}`));
    if (sum.UnpricedTokens > 0n) {
      assert.ok((await title(page, 'cost')).includes(`${grouped(sum.UnpricedTokens)} tokens have no price`));
    }
    assert.ok((await title(page, 'cache')).startsWith(
      `${grouped(sum.CacheReadInputTokenCount)} of ${grouped(sum.Prompt)} `));
    assert.ok((await title(page, 'errors')).startsWith(
      `${grouped(sum.Errors)} of ${grouped(sum.Errors + sum.Invocations)} `));
  })();
}

/* Breakdown tables: every integer column and the exact cost of every row. */
async function checkBreakdown(page, id, want) {
  await showAll(page, id);
  const table = await readTable(page, id);
  assert.equal(table.body.length, want.size, `${id} has a row for each`);
  const columns = { 'Total tokens': 'Total', Input: 'InputTokenCount', Output: 'OutputTokenCount',
    'Cache read': 'CacheReadInputTokenCount', 'Cache write': 'CacheWriteInputTokenCount',
    Invocations: 'Invocations', Failed: 'Errors', 'Unpriced tokens': 'UnpricedTokens' };
  table.body.forEach((row, r) => {
    const sum = want.get(row[0]);
    assert.ok(sum, `a row for ${row[0].slice(0, 60)}`);
    for (const [head, metric] of Object.entries(columns)) {
      assert.equal(row[table.head.indexOf(head)], grouped(sum[metric]), `${row[0].slice(0, 60)} ${head}`);
    }
    const cost = table.head.indexOf('Est. cost (USD)');
    assert.ok(table.titles[r][cost].startsWith(`Estimated: ${dollars(sum.EstimatedCost)}`));
    assert.equal(row[cost] === 'unpriced', sum.EstimatedCost === 0n && sum.UnpricedTokens > 0n);
    assert.equal(row[cost].startsWith('≥'), sum.EstimatedCost > 0n && sum.UnpricedTokens > 0n);
  });
}

async function checkMatrix(page, json, keep) {
  await showAll(page, 'matrix');
  const table = await readTable(page, 'matrix');
  const want = sums(json, 'cube', (r) => `${r.SourceRegion} ${r.InferenceRegion}`, keep);
  let seen = 0;
  for (const row of table.body) {
    row.slice(1, -1).forEach((text, c) => {
      const sum = want.get(`${row[0]} ${table.head[c + 1]}`);
      assert.equal(text, sum ? grouped(sum.Total) : '');
      if (sum) seen++;
    });
  }
  assert.equal(seen, want.size);
  assert.equal(table.foot[0].at(-1), grouped(one(json, keep).Total));
}

async function checkAll(page, json, keep = () => true) {
  await checkCards(page, one(json, keep));
  await checkBreakdown(page, 'breakdown', sums(json, 'cube', (r) => r.ModelId, keep));
  await checkMatrix(page, json, keep);
}

async function openDetails(page, id) {
  await page.evaluate((tableId) => { document.getElementById(tableId).closest('details').open = true; }, id);
  await page.waitForFunction((tableId) => document.getElementById(tableId).tBodies[0].rows.length > 0, id);
  await showAll(page, id);
}

const seconds = (text) => Date.parse(`${text.replace(' ', 'T')}${text.length > 10 ? ':00Z' : ''}`) / 1000;

/* ---- offline ---- */

await test('report: loads and equals the sums of the data set', async (page) => {
  await openReport(page, month);
  await checkAll(page, month);
  await checkBreakdown(page, 'principals', sums(month, 'principals', (r) => r.Principal));
  assert.match(await page.textContent('#status'), /Report of 25 Nov 2025/);
});

await test('report: packed form, at most 2 MB for a month by the hour', async (page) => {
  await openReport(page, month, { packed: true });
  await checkCards(page, one(month));
  assert.ok(offlineReport(html, month, { packed: true }).length <= 2 * 1024 * 1024);
});

await test('report: makes no request', async (page) => {
  const requests = [];
  page.on('request', (r) => requests.push(r.url()));
  await openReport(page, small);
  await page.waitForTimeout(300);
  assert.deepEqual(requests.filter((u) => !/^(file|data):/.test(u)), []);
});

await test('file: small, one data marker, strict policy', async () => {
  assert.ok(Buffer.byteLength(html) < 150 * 1024);
  assert.equal(html.split('<!--BEDROCK-METRICS-DATA-->').length, 2);
  assert.match(html, /default-src 'none'/);
  assert.match(html, /Permission is hereby granted/);
});

/* ---- filters ---- */

await test('filters: choosing in the menus', async (page) => {
  await openReport(page, month);
  const choose = async (dimension, value) => {
    await page.click(`[data-dimension="${dimension}"] .drop`);
    await page.click(`[data-dimension="${dimension}"] .option:has(bdi:text-is("${value}"))`);
    await page.keyboard.press('Escape');
  };
  await choose('AccountId', '444455556666');
  await checkAll(page, month, (r) => r.AccountId === '444455556666');
  await choose('SourceRegion', 'us-east-1');
  await choose('SourceRegion', 'eu-west-1');
  const keep = (r) => r.AccountId === '444455556666' && ['us-east-1', 'eu-west-1'].includes(r.SourceRegion);
  await checkAll(page, month, keep);
  await checkBreakdown(page, 'principals', sums(month, 'principals', (r) => r.Principal, keep));
  assert.match(await page.evaluate(() => location.hash), /account=444455556666/);
  await page.reload();
  await page.waitForSelector('.chip');
  await checkAll(page, month, keep);
  await page.click('.chip >> nth=0');
  await page.click('text=Clear filters');
  await checkAll(page, month);
});

await test('filters: twenty random views equal the sums', async (page) => {
  const next = random(42);
  await openReport(page, month);
  const short = { InferenceProfileType: 'type', ModelId: 'model', SourceRegion: 'source',
    InferenceRegion: 'inference', AccountId: 'account' };
  for (let i = 0; i < 20; i++) {
    const chosen = {};
    const params = new URLSearchParams();
    for (const [dimension, key] of Object.entries(short)) {
      if (next() < 0.6) continue;
      const values = month.dictionary[dimension].filter(() => next() < 0.5);
      if (!values.length) continue;
      chosen[dimension] = values;
      for (const v of values) params.append(key, v);
    }
    const hours = 1 + Math.floor(next() * 200);
    const from = month.cube.start + Math.floor(next() * 500) * 3600;
    const to = from + hours * 3600;
    params.set('from', new Date(from * 1000).toISOString());
    params.set('to', new Date(to * 1000).toISOString());
    await page.evaluate((hash) => { location.hash = hash; }, params.toString());
    await page.waitForTimeout(30);
    const keep = (r) => r.time >= from && r.time < to &&
      Object.entries(chosen).every(([d, values]) => values.includes(r[d]));
    if (one(month, keep)) await checkAll(page, month, keep);
    else assert.equal(await page.isVisible('#panels'), false, params.toString());
  }
});

await test('filters: time presets', async (page) => {
  await openReport(page, month);
  const end = month.range.until;
  for (const [text, length] of [['24 h', 86400], ['7 d', 7 * 86400], ['30 d', 30 * 86400]]) {
    await page.click(`.segments button:text-is("${text}")`);
    await checkCards(page, one(month, (r) => r.time >= end - length));
  }
  await page.click('.segments button:text-is("Month")');
  await checkCards(page, one(month, (r) => r.time >= Date.UTC(2025, 10, 1) / 1000));
});

await test('filters: a change against the time before is shown where there is one', async (page) => {
  await openReport(page, month, { hash: '#range=7d' });
  const end = month.range.until;
  const now = one(month, (r) => r.time >= end - 7 * 86400).Total;
  const before = one(month, (r) => r.time >= end - 14 * 86400 && r.time < end - 7 * 86400).Total;
  const want = (Number(now - before) / Number(before) * 100).toFixed(1);
  assert.equal((await page.textContent('.card .delta >> nth=0')).replace(/[+−]/, ''),
    `${want.replace('-', '')}% vs prior week`);
});

await test('filters: dates typed in, end before start is refused', async (page) => {
  await openReport(page, month);
  await page.fill('#since', '2025-11-03T06:00');
  await page.fill('#until', '2025-11-04T18:00');
  await page.dispatchEvent('#until', 'change');
  const [from, to] = [Date.UTC(2025, 10, 3, 6) / 1000, Date.UTC(2025, 10, 4, 18) / 1000];
  await checkCards(page, one(month, (r) => r.time >= from && r.time < to));
  assert.match(await page.textContent('#principals-note'), /3 Nov 2025 – 4 Nov 2025/);
  const days = [Date.UTC(2025, 10, 3) / 1000, Date.UTC(2025, 10, 5) / 1000];
  await checkBreakdown(page, 'principals', sums(month, 'principals', (r) => r.Principal,
    (r) => r.time >= days[0] && r.time < days[1]));
  await page.fill('#until', '2025-11-01T00:00');
  await page.dispatchEvent('#until', 'change');
  assert.equal(await page.getAttribute('#until', 'aria-invalid'), 'true');
});

await test('filters: what the data does not have gives the empty state, and a way out', async (page) => {
  await openReport(page, month, { hash: '#model=no.such-model' });
  assert.match(await page.textContent('#message'), /Nothing matches/);
  assert.match(await page.textContent('.chip'), /no\.such-model/);
  await page.click('text=Clear filters and time');
  await checkCards(page, one(month));
});

/* ---- charts ---- */

for (const [by, dimension] of [['Profile type', 'InferenceProfileType'], ['Model', 'ModelId'],
  ['Account', 'AccountId'], ['Inference Region', 'InferenceRegion']]) {
  await test(`charts: the tables of tokens and cost by ${by} equal the sums`, async (page) => {
    await openReport(page, month);
    await page.selectOption('#by', dimension);
    await openDetails(page, 'tokens-table');
    await openDetails(page, 'cost-table');
    const want = sums(month, 'cube', (r) => `${r.time - (r.time % 21600)} ${r[dimension]}`);
    const perStep = sums(month, 'cube', (r) => r.time - (r.time % 21600));
    const tokens = await readTable(page, 'tokens-table');
    const cost = await readTable(page, 'cost-table');
    assert.equal(tokens.body.length, 120);
    const names = tokens.head.slice(1, -1);
    const others = names.findIndex((n) => / others$/.test(n));
    tokens.body.forEach((row, r) => {
      const t = seconds(row[0]);
      let rest = perStep.get(t).Total;
      names.forEach((name, c) => {
        if (c === others) return;
        const sum = want.get(`${t} ${name}`)?.Total ?? 0n;
        assert.equal(row[c + 1], grouped(sum), `${row[0]} ${name}`);
        rest -= sum;
      });
      assert.equal(others < 0 ? '0' : row[others + 1], grouped(rest));
      assert.equal(row.at(-1), grouped(perStep.get(t).Total));
      const all = cost.titles[r].at(-1);
      assert.ok(all.startsWith(`Estimated: ${dollars(perStep.get(t).EstimatedCost)}`));
    });
    assert.equal(tokens.foot[0].at(-1), grouped(one(month).Total));
  });
}

await test('charts: by token kind', async (page) => {
  await openReport(page, small, { hash: '#by=kind' });
  await openDetails(page, 'tokens-table');
  const { head, foot } = await readTable(page, 'tokens-table');
  const sum = one(small);
  assert.deepEqual(head.slice(1), ['Input', 'Output', 'Cache read', 'Cache write', 'Total']);
  assert.deepEqual(foot[0].slice(1), [sum.InputTokenCount, sum.OutputTokenCount,
    sum.CacheReadInputTokenCount, sum.CacheWriteInputTokenCount, sum.Total].map(grouped));
});

await test('charts: tables of cache share and errors equal the sums', async (page) => {
  await openReport(page, small);
  await openDetails(page, 'cache-table');
  await openDetails(page, 'errors-table');
  const want = sums(small, 'cube', (r) => r.time);
  for (const row of (await readTable(page, 'cache-table')).body) {
    const sum = want.get(seconds(row[0]));
    assert.equal(row[1], grouped(sum.Prompt));
    assert.equal(row[2], grouped(sum.CacheReadInputTokenCount));
    const share = Number(sum.CacheReadInputTokenCount) / Number(sum.Prompt) * 100;
    assert.ok(Math.abs(parseFloat(row[3]) - share) <= 0.0051);
  }
  const errors = await readTable(page, 'errors-table');
  assert.equal(errors.body.length, 72);
  for (const row of errors.body) {
    const sum = want.get(seconds(row[0]));
    assert.equal(row[1], grouped(sum.Invocations + sum.Errors));
    assert.deepEqual([row[2], row[4], row[6]], [sum.InvocationClientErrors, sum.InvocationServerErrors,
      sum.InvocationThrottles].map(grouped));
  }
});

await test('charts: dragging zooms, double-click shows all', async (page) => {
  await openReport(page, month);
  const box = await page.locator('.chart-panel >> nth=0 >> .u-over').boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 80, { steps: 5 });
  await page.mouse.up();
  const hash = new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
  const [from, to] = [Date.parse(hash.get('from')) / 1000, Date.parse(hash.get('to')) / 1000];
  assert.ok(to - from > 5 * 86400 && to - from < 7 * 86400, `${(to - from) / 86400} days`);
  assert.equal(from % 21600, 0);
  await checkAll(page, month, (r) => r.time >= from && r.time < to);
  await page.dblclick('.chart-panel >> nth=0 >> .u-over');
  await checkCards(page, one(month));
});

await test('charts: the tooltip has exact figures', async (page) => {
  await openReport(page, month);
  const box = await page.locator('.chart-panel >> nth=0 >> .u-over').boundingBox();
  await page.mouse.move(box.x + box.width * (60.5 / 120), box.y + 60);
  const text = await page.textContent('.chart-panel >> nth=0 >> .tip');
  const t = month.cube.start + 60 * 21600;
  assert.match(text, /10 Nov 2025, 00:00–06:00 UTC/);
  assert.ok(text.includes(grouped(one(month, (r) => r.time >= t && r.time < t + 21600).Total)), text);
  await page.screenshot({ path: join(shots, 'tooltip.png') });
  await page.mouse.move(5, 5);
  assert.equal(await page.isVisible('.tip'), false);
});

await test('charts: a legend entry filters and unfilters', async (page) => {
  await openReport(page, month);
  await page.click('.chart-panel >> nth=0 >> .legend button:has(bdi:text-is("CrossRegion"))');
  await checkAll(page, month, (r) => r.InferenceProfileType === 'CrossRegion');
  const color = () => page.evaluate(() => document.querySelector('.legend i').style.background);
  assert.equal(await color(), 'var(--c1)');
  await page.click('.chart-panel >> nth=0 >> .legend button:has(bdi:text-is("CrossRegion"))');
  await checkCards(page, one(month));
});

await test('matrix: cost and invocations', async (page) => {
  await openReport(page, month, { hash: '#matrix=Invocations' });
  const keep = () => true;
  const want = sums(month, 'cube', (r) => r.SourceRegion, keep);
  for (const row of (await readTable(page, 'matrix')).body) {
    assert.equal(row.at(-1), grouped(want.get(row[0]).Invocations));
  }
  await page.selectOption('#matrix-metric', 'EstimatedCost');
  const { body, titles } = await readTable(page, 'matrix');
  body.forEach((row, r) => assert.ok(
    titles[r].at(-1).startsWith(`Estimated: ${dollars(want.get(row[0]).EstimatedCost)}`)));
});

/* ---- exactness ---- */

await test('figures beyond 2^53 are exact', async (page) => {
  const huge = makeDataset({ days: 2, seed: 5, huge: true });
  await openReport(page, huge);
  assert.ok(one(huge).Total > 2n ** 61n);
  await checkAll(page, huge);
  await checkBreakdown(page, 'principals', sums(huge, 'principals', (r) => r.Principal));
});

await test('without a price list there is no cost', async (page) => {
  const free = makeDataset({ days: 2, seed: 5, priced: false });
  await openReport(page, free);
  assert.equal(await page.textContent('#card-cost'), '–');
  assert.match(await page.textContent('#panels'), /No price list was used/);
  assert.equal((await readTable(page, 'breakdown')).head.includes('Est. cost (USD)'), false);
  assert.equal(await page.textContent('#card-cost').then((t) => t.includes('0')), false);
});

await test('unpriced tokens are never shown as free', async (page) => {
  await openReport(page, month, { hash: '#model=custom-model/support-bot/x7k2' });
  assert.equal(await page.textContent('#card-cost'), 'unpriced');
  assert.match(await page.textContent('.chart-panel >> nth=1'), /None of these tokens has a price/);
});

await test('approximate prices are marked', async (page) => {
  const json = structuredClone(small);
  for (const t of [json.cube, json.principals]) {
    t.metrics.ApproximateTokens = t.metrics.InputTokenCount.map((n, r) => t.metrics.EstimatedCost[r] ? n : 0);
  }
  await openReport(page, json);
  assert.match(await page.textContent('#card-cost'), /^≥\u00a0\$/);
  assert.ok((await readTable(page, 'breakdown')).head.includes('Approximately priced'));
  await page.evaluate(() => { location.hash = 'model=amazon.nova-lite-v1:0'; });
  await page.waitForTimeout(50);
  assert.match(await page.textContent('#card-cost'), /^≈\u00a0\$/);
});

await test('a metric and a dimension that the page has never heard of', async (page) => {
  const json = structuredClone(small);
  json.names = structuredClone(json.names);
  json.names.metrics.ToolUses = 'Tool uses';
  json.names.dimensions.Tier = ['Service tier', 'Service tiers', 'tier'];
  json.dictionary.Tier = ['flex', 'standard'];
  json.cube.dimensions = [...json.cube.dimensions, 'Tier'];
  json.cube.series.push(json.cube.rows.map((_, s) => s % 2));
  json.cube.metrics.ToolUses = json.cube.metrics.Invocations.map((n) => 3 * n);
  await openReport(page, json, { hash: '#table=Tier&tier=flex' });
  assert.match(await page.textContent('#chips, .chips'), /Service tier flex/);
  const { head, body } = await readTable(page, 'breakdown');
  assert.equal(head.at(-1), 'Tool uses');
  assert.deepEqual(body.map((row) => row[0]), ['flex']);
});

await test('principals without time say that they cover everything', async (page) => {
  const json = structuredClone(small);
  json.principals.interval = 0;
  delete json.principals.time;
  delete json.principals.start;
  await openReport(page, json, { hash: '#range=24h' });
  assert.match(await page.textContent('#principals-note'), /whole data set/);
  await checkBreakdown(page, 'principals', sums(json, 'principals', (r) => r.Principal));
  await page.evaluate(() => { location.hash = 'inference=us-east-1'; });
  await page.waitForTimeout(50);
  assert.match(await page.textContent('#principals-note'), /Not filtered by Inference Region/);
});

await test('costs in other units, and a larger total than doubles hold', async (page) => {
  const json = structuredClone(small);
  json.costExponent = -3;
  for (const t of [json.cube, json.principals]) {
    t.metrics.EstimatedCost = t.metrics.EstimatedCost.map((n, r) => (r % 3 ? n : '123456789012345678901'));
  }
  await openReport(page, json);
  assert.ok((await title(page, 'cost')).startsWith(`Estimated: ${dollars(one(json).EstimatedCost, 3)}`));
});

/* ---- tables ---- */

await test('tables: sorting by every column, both ways', async (page) => {
  await openReport(page, month);
  const { head } = await readTable(page, 'breakdown');
  for (let c = 0; c < head.length; c++) {
    for (let click = 0; click < 2; click++) {
      await page.click(`#breakdown thead th >> nth=${c} >> button`);
      const order = await page.getAttribute(`#breakdown thead th >> nth=${c}`, 'aria-sort');
      const { body } = await readTable(page, 'breakdown');
      const values = body.map((r) => c === 0 ? r[0] : parseFloat(r[c].replace(/[≥$,%\s]/g, '')))
        .filter((v) => c === 0 || !Number.isNaN(v));
      for (let i = 1; i < values.length; i++) {
        assert.ok(order === 'ascending' ? values[i - 1] <= values[i] : values[i - 1] >= values[i],
          `${head[c]} ${order}`);
      }
    }
  }
});

await test('tables: CSV has the exact figures', async (page) => {
  await openReport(page, nasty);
  const [file] = await Promise.all([page.waitForEvent('download'),
    page.click('.panel:has(#principals) .csv')]);
  const text = readFileSync(await file.path(), 'utf8');
  assert.match(file.suggestedFilename(), /^bedrock-principals-.*\.csv$/);
  const records = [];
  let record = [''];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    record[record.length - 1] = quoted === undefined ? bare : quoted.replaceAll('""', '"');
    if (end === ',') record.push('');
    else { records.push(record); record = ['']; }
  }
  const [head, ...rows] = records;
  const want = sums(nasty, 'principals', (r) => r.Principal);
  assert.equal(rows.length, want.size);
  for (const row of rows) {
    const name = row[0].replace(/^'/, '');
    const sum = want.get(name);
    assert.equal(row[head.indexOf('Total tokens')], String(sum.Total));
    const cost = row[head.indexOf('Est. cost (USD)')];
    if (sum.EstimatedCost > 0n) {
      assert.equal(dollars(sum.EstimatedCost).replace(/[$,]/g, '').replace(/\.?0+$/, ''), cost.replace(/\.?0+$/, ''));
    } else if (sum.UnpricedTokens > 0n) assert.equal(cost, '');
  }
  assert.ok(rows.some((r) => r[0] === `'${HOSTILE.formula}`), 'formulas are disarmed');
});

/* ---- hostile names ---- */

await test('hostile names stay text, everywhere', async (page) => {
  await openReport(page, nasty, { hash: '#by=ModelId' });
  await checkAll(page, nasty);
  await showAll(page, 'principals');
  for (const by of ['AccountId', 'ModelId']) {
    await page.selectOption('#by', by);
    await page.selectOption('#table-by', by);
    for (const id of ['tokens', 'cost', 'cache', 'errors']) await openDetails(page, `${id}-table`);
    await page.focus('#panels .chart');
    await page.keyboard.press('End');
  }
  for (const dimension of ['ModelId', 'AccountId']) {
    await page.click(`[data-dimension="${dimension}"] .drop`);
    await page.click(`[data-dimension="${dimension}"] .option:has-text("__hacked")`);
    await page.keyboard.press('Escape');
  }
  const state = await page.evaluate(() => ({
    hacked: window.__hacked,
    foreign: document.querySelectorAll('img, iframe, object, embed, main script, [onerror]').length,
    scripts: document.scripts.length,
    chips: [...document.querySelectorAll('.chip bdi')].map((b) => b.textContent),
    overflow: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
  assert.equal(state.hacked, undefined);
  assert.equal(state.foreign, 0);
  assert.equal(state.scripts, 2);
  assert.deepEqual(state.chips.sort(), [HOSTILE.account, HOSTILE.model].sort());
  assert.equal(state.overflow, false);
  await page.goto(page.url().split('#')[0] + `#model=${encodeURIComponent(HOSTILE.model)}`);
  await page.reload();
  await page.waitForSelector('.chip');
  await checkCards(page, one(nasty, (r) => r.ModelId === HOSTILE.model));
  await page.evaluate(() => { location.hash = ''; });
  await page.screenshot({ path: join(shots, 'hostile.png'), fullPage: true });
  assert.equal(await page.evaluate(() => window.__hacked), undefined);
});

await test('hostile hash: nothing of it becomes markup or breaks the page', async (page) => {
  await openReport(page, small, { hash:
    '#model=%3Cimg%20src%3Dx%20onerror%3D%22window.__hacked%3D9%22%3E&by=__proto__&step=-1&matrix=constructor&table=toString&dim.__proto__=x&from=zzz&to=1&range=hasOwnProperty' });
  assert.equal(await page.evaluate(() => window.__hacked), undefined);
  await page.click('text=Clear filters and time');
  await checkCards(page, one(small));
});

await test('other data: what does not fit is refused with a reason', async (page) => {
  const change = (f) => { const json = structuredClone(small); f(json); return json; };
  const wrong = [
    [change((j) => { j.schema = 'bedrock-metrics/page/9'; }), /page\/1/],
    [change((j) => { j.cube.rows[0]++; }), /length|values/],
    [change((j) => { j.cube.series[0][0] = 99; }), /dictionary/],
    [change((j) => { j.cube.metrics.Invocations[3] = 1.5; }), /not a count/],
    [change((j) => { j.cube.metrics.Invocations[3] = -1; }), /not a count/],
    [change((j) => { j.cube.metrics.InputTokenCount[3] = 2 ** 53; }), /not a count/],
    [change((j) => { j.cube.metrics.InputTokenCount[3] = '1e5'; }), /not a count/],
    [change((j) => { delete j.cube; }), /missing/],
    [change((j) => { j.dictionary.ModelId = 'x'; }), /ModelId/],
    [change((j) => { j.cube.dimensions[1] = 'Elsewhere'; }), /Elsewhere/],
    [[], /schema|page\/1/],
  ];
  for (const [json, reason] of wrong) {
    await openReport(page, json);
    assert.match(await page.textContent('#message'), /cannot be shown/);
    assert.match(await page.textContent('#message'), reason);
  }
});

await test('no data: the empty state', async (page) => {
  const nothing = structuredClone(small);
  delete nothing.range;
  for (const t of [nothing.cube, nothing.principals]) {
    Object.assign(t, { series: t.dimensions.map(() => []), rows: [], time: [], metrics: {} });
  }
  await openReport(page, nothing);
  assert.match(await page.textContent('#message'), /No invocations yet/);
  await page.screenshot({ path: join(shots, 'empty.png') });
});

await test('other shapes: more dimensions, no principals, no balance, one bucket', async (page) => {
  const json = structuredClone(small);
  delete json.principals;
  delete json.balance;
  delete json.generated;
  json.notes = ['A note.'];
  json.folded = [{ dimension: 'ModelId', kept: 9, folded: 1234 }];
  json.dictionary['Metadata:team'] = ['red', 'blue'];
  json.cube.dimensions.push('Metadata:team');
  json.cube.series.push(json.cube.rows.map((_, s) => s % 2));
  await openReport(page, json, { hash: '#by=Metadata:team&dim.Metadata:team=blue' });
  await checkCards(page, one(json, (r) => r['Metadata:team'] === 'blue'));
  assert.match(await page.textContent('#notes'), /A note\..*|1,234 more are combined into Other/);
  await page.evaluate((t) => {
    location.hash = `from=${new Date(t * 1000).toISOString()}&to=${new Date((t + 3600) * 1000).toISOString()}`;
  }, json.cube.start + 12 * 3600);
  await page.waitForTimeout(50);
  await checkCards(page, one(json, (r) => r.time === json.cube.start + 12 * 3600));
});

/* ---- live ---- */

await test('live: new data arrives and disturbs nothing', async (page, defer) => {
  const server = await openServed(page, small, defer);
  await checkAll(page, small);
  await page.click('[data-dimension="AccountId"] .drop');
  await page.click('[data-dimension="AccountId"] .option:has(bdi:text-is("111122223333"))');
  await openDetails(page, 'tokens-table');
  await page.click('[data-dimension="ModelId"] .drop');
  await page.evaluate(() => document.getElementById('errors-title').scrollIntoView());
  await page.mouse.wheel(0, 150);
  await page.waitForTimeout(150);
  const option = await page.locator('[data-dimension="ModelId"] .option input >> nth=2').elementHandle();
  await option.focus();
  const top = () => page.evaluate(() =>
    Math.round(document.getElementById('matrix').getBoundingClientRect().top));
  const at = await top();
  const later = makeDataset({ days: 4, seed: 11, hostile: true, version: 'v2', end: small.range.until + 86400 });
  server.publish(later);
  const want = one(later, (r) => r.AccountId === '111122223333');
  await page.waitForFunction((t) => document.getElementById('card-tokens').title === t,
    `${grouped(want.Total)} tokens`);
  assert.ok(Math.abs(await top() - at) <= 2, `what is being read stays: ${at}, ${await top()}`);
  assert.ok(await page.isVisible('[data-dimension="ModelId"] .popover'));
  assert.ok(await option.evaluate((e) => e === document.activeElement));
  assert.ok(await page.isVisible('#tokens-table'));
  assert.match(await page.evaluate(() => location.hash), /account=111122223333/);
  await checkAll(page, later, (r) => r.AccountId === '111122223333');
  assert.match(await page.textContent('#status'), /Live, updated \d\d:\d\d:\d\d UTC/);
});

await test('live: asks with the version it has', async (page, defer) => {
  const server = await openServed(page, small, defer);
  await page.waitForTimeout(1500);
  assert.ok(server.requests.includes('/api/page'));
  assert.ok(server.requests.includes('/api/page?after=v1'));
  assert.equal(server.requests.filter((r) => !/^\/(api\/page.*)?$/.test(r)).length, 0);
});

await test('live: a lost server is said, the figures stay, and it is found again', async (page, defer) => {
  allowed = [/Failed to load resource/];
  const server = await openServed(page, small, defer);
  server.failing = true;
  await page.waitForFunction(() => document.getElementById('status').dataset.state === 'bad');
  await checkCards(page, one(small));
  assert.match(await page.textContent('#status'), /Not current: .*503/);
  server.failing = false;
  server.publish({ ...small, version: 'v3', source: 'again' });
  await page.waitForFunction(() => document.getElementById('source').textContent === 'again');
  assert.equal(await page.getAttribute('#status', 'data-state'), 'live');
});

await test('live: an error at the start has a button to try again', async (page, defer) => {
  allowed = [/Failed to load resource/];
  const server = await new MockServer(html, small).start();
  defer(() => server.stop());
  server.failing = true;
  await page.goto(server.url);
  await page.waitForSelector('#message button');
  await page.screenshot({ path: join(shots, 'error.png') });
  server.failing = false;
  await page.click('#message button');
  await page.waitForSelector('#panels:not([hidden])');
  await checkCards(page, one(small));
});

await test('live: starts empty, fills when the first file arrives', async (page, defer) => {
  const nothing = structuredClone(small);
  delete nothing.range;
  for (const t of [nothing.cube, nothing.principals]) {
    Object.assign(t, { series: t.dimensions.map(() => []), rows: [], time: [], metrics: {} });
  }
  nothing.version = 'v0';
  const server = await openServed(page, nothing, defer);
  assert.match(await page.textContent('#message'), /as soon as a log file/);
  server.publish(small);
  await page.waitForSelector('#panels:not([hidden])');
  await checkAll(page, small);
});

await test('live: many updates leave nothing behind', async (page, defer) => {
  const server = await openServed(page, small, defer);
  await openDetails(page, 'tokens-table');
  const size = () => page.evaluate(() => document.querySelectorAll('*').length);
  const before = await size();
  for (let i = 0; i < 12; i++) {
    server.publish({ ...small, version: `n${i}`, source: `update ${i}` });
    await page.waitForFunction((t) => document.getElementById('source').textContent === t, `update ${i}`);
  }
  assert.equal(await size(), before);
  assert.equal(await page.evaluate(() => document.querySelectorAll('.uplot').length), 4);
});

/* ---- theme, keyboard, reading, devices ---- */

/* WCAG contrast of all visible text against the background behind it. */
const poorContrast = (page) => page.evaluate(() => {
  const parse = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const f = [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.checkVisibility() || e.closest('script, .sr, noscript, option')) continue;
    let behind = e;
    let back = [0, 0, 0, 0];
    while (behind && (back.length === 4 && back[3] === 0)) {
      back = parse(getComputedStyle(behind).backgroundColor);
      behind = behind.parentElement;
    }
    const a = light(parse(getComputedStyle(e).color));
    const b = light(back);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.push(`${e.className || e.tagName}: ${contrast.toFixed(2)} ${e.textContent.slice(0, 20)}`);
  }
  return [...new Set(poor)];
});

await test('theme: follows the system, can be chosen, is remembered', async (page, defer) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  const server = await openServed(page, month, defer);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await theme(), 'dark');
  assert.equal(await back(), 'rgb(18, 21, 24)');
  assert.deepEqual(await poorContrast(page), []);
  await page.screenshot({ path: join(shots, 'desktop-dark.png'), fullPage: true });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
  assert.deepEqual(await poorContrast(page), []);
  await page.screenshot({ path: join(shots, 'desktop-light.png'), fullPage: true });
  await page.click('#theme');
  await page.click('#theme');
  assert.equal(await theme(), 'dark');
  await page.goto(server.url);
  await page.waitForSelector('#panels:not([hidden])');
  assert.equal(await theme(), 'dark');
  assert.equal(await page.textContent('#theme'), 'Theme: dark');
});

await test('keyboard: everything can be reached and shows where the focus is', async (page) => {
  await openReport(page, small);
  const seen = [];
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const style = getComputedStyle(e);
      return { what: e.id || e.className || e.tagName, outline: style.outlineStyle !== 'none' &&
        parseFloat(style.outlineWidth) >= 1 };
    });
    if (!now) break;
    seen.push(now);
  }
  assert.deepEqual(seen.filter((s) => !s.outline), []);
  const names = seen.map((s) => s.what);
  for (const want of ['skip', 'theme', 'print', 'since', 'until', 'drop', 'by', 'step', 'chart', 'SUMMARY',
    'matrix-metric', 'table-by', 'table-scroll', 'quiet csv']) {
    assert.ok(names.includes(want), `Tab reaches ${want}`);
  }
});

await test('keyboard: skip link, filter, sort', async (page) => {
  await openReport(page, small);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  assert.equal(await page.evaluate(() => location.hash), '');
  await page.focus('[data-dimension="AccountId"] .drop');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  const second = [...small.dictionary.AccountId].sort()[1];
  await page.keyboard.press('Escape');
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains('drop')));
  await checkCards(page, one(small, (r) => r.AccountId === second));
  assert.match(await page.textContent('#announce'), /tokens with these filters/);
  await page.focus('#breakdown thead th >> nth=0 >> button');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('#breakdown thead th >> nth=0', 'aria-sort'), 'ascending');
});

await test('keyboard: reading and zooming a chart', async (page) => {
  await openReport(page, small);
  await page.focus('#panels .chart');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  const t = small.cube.start + 3600;
  const total = grouped(one(small, (r) => r.time === t).Total);
  assert.ok((await page.textContent('.tip >> nth=0')).includes(total));
  assert.match(await page.textContent('#announce'), /22 Nov 2025, 01:00–02:00 UTC: .*InRegion/);
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.screenshot({ path: join(shots, 'keyboard.png') });
  await page.keyboard.press('Enter');
  await checkCards(page, one(small, (r) => r.time >= t && r.time < t + 3 * 3600));
  await page.keyboard.press('Escape');
  await checkCards(page, one(small));
});

await test('reading aloud: names, captions, headings', async (page) => {
  await openReport(page, small);
  const faults = await page.evaluate(() => {
    const out = [];
    for (const e of document.querySelectorAll('button, select, input')) {
      if (!e.checkVisibility()) continue;
      const text = e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim();
      if (!text) out.push(e.outerHTML.slice(0, 100));
    }
    for (const t of document.querySelectorAll('table')) if (!t.caption?.textContent) out.push(`caption ${t.id}`);
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    if (new Set(ids).size !== ids.length) out.push('an id is there twice');
    if (document.querySelectorAll('h1').length !== 1) out.push('h1');
    for (const a of ['aria-labelledby', 'aria-describedby']) {
      for (const e of document.querySelectorAll(`[${a}]`)) {
        if (!document.getElementById(e.getAttribute(a))) out.push(`${a} ${e.getAttribute(a)}`);
      }
    }
    return out;
  });
  assert.deepEqual(faults, []);
});

for (const width of [320, 360, 768]) {
  await test(`screen ${width} px wide: nothing sticks out`, async (page) => {
    await page.setViewportSize({ width, height: 740 });
    await openReport(page, nasty, { hash: '#by=ModelId&range=24h' });
    assert.ok(await page.isVisible('.delta'));
    const open = page.locator('.filters-toggle');
    if (await open.isVisible()) await open.click();
    for (const d of ['ModelId', 'AccountId']) {
      await page.click(`[data-dimension="${d}"] .drop`);
      await page.click(`[data-dimension="${d}"] .option:has-text("__hacked")`);
      const box = await page.locator(`[data-dimension="${d}"] .popover`).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width, `popover ${JSON.stringify(box)}`);
      await page.keyboard.press('Escape');
    }
    for (const id of ['tokens', 'errors']) await openDetails(page, `${id}-table`);
    const size = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(size[0] <= size[1], size.join(' > '));
    const out = await page.evaluate(() => [...document.querySelectorAll('.card *, .panel-head *, .legend *, .chart')]
      .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > document.documentElement.clientWidth)
      .map((e) => e.className || e.tagName));
    assert.deepEqual(out, []);
    await checkCards(page, one(nasty, (r) => r.ModelId === HOSTILE.model &&
      r.AccountId === HOSTILE.account && r.time >= nasty.range.until - 86400));
  });
}

await test('phone: screenshot', async (page) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await openReport(page, month);
  await page.screenshot({ path: join(shots, 'phone.png'), fullPage: true });
  const wide = await page.evaluate(() => [...document.querySelectorAll('.uplot')].every(
    (u) => u.getBoundingClientRect().right <= window.innerWidth));
  assert.ok(wide);
});

await test('print: white, without controls, from the dark theme too', async (page) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await openReport(page, month, { hash: '#account=444455556666' });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
  const state = await page.evaluate(() => ({
    back: getComputedStyle(document.body).backgroundColor,
    shown: ['.time-row', '.filter-row', '#theme', '#print', '.table-actions', '.chart-tools']
      .filter((s) => document.querySelector(s).checkVisibility()),
    scope: document.querySelector('.scope').checkVisibility() && document.querySelector('.scope').textContent,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  assert.equal(state.back, 'rgb(255, 255, 255)');
  assert.deepEqual(state.shown, []);
  assert.match(state.scope, /26 Oct 2025 – 24 Nov 2025 UTC · Account: 444455556666/);
  assert.ok(state.overflow <= 0);
  await page.screenshot({ path: join(shots, 'print.png'), fullPage: true });
  await page.emulateMedia({ media: 'screen', colorScheme: 'dark' });
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
  await page.emulateMedia({ media: null });
  await page.pdf({ path: join(shots, 'print.pdf'), preferCSSPageSize: true, printBackground: true });
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
});

/* ---- the real program ---- */

/* JSON.parse would round integers beyond 2^53; the API writes them as numbers. */
const parseExact = (text) => JSON.parse(text.replace(/([:[,]\s*)([0-9]{16,})(?=\s*[,\]}])/g, '$1"$2"'));

const program = process.env.BASE_URL || process.env.REPORT
  ? null : Program.find(process.env.BUILD ?? join(root, 'build', 'release'));
if (!program && !process.env.BASE_URL) {
  console.log('skipped: the tests against the program: build/release/bedrock-metrics is not built');
}
const served = process.env.BASE_URL ?? (program ? await program.start() : null);

if (served) {
  const base = served.replace(/\/*$/, '/');
  const get = async (path) => {
    const response = await fetch(base + path);
    assert.equal(response.status, 200, path);
    return response.text();
  };
  await test('program: the page equals /api/page and /api/usage', async (page) => {
    await page.goto(base);
    await page.waitForSelector('#panels:not([hidden])');
    const json = JSON.parse(await get('api/page'));
    await checkAll(page, json);
    if (json.principals) {
      await checkBreakdown(page, 'principals', sums(json, 'principals', (r) => r.Principal));
    }
    const usage = parseExact(await get('api/usage?by=ModelId&interval=all'));
    const mine = sums(json, 'cube', (r) => r.ModelId);
    assert.equal(usage.rows.length, mine.size);
    for (const row of usage.rows) {
      for (const m of ['Invocations', 'InputTokenCount', 'OutputTokenCount', 'CacheReadInputTokenCount',
        'CacheWriteInputTokenCount', 'InvocationClientErrors', 'InvocationServerErrors', 'InvocationThrottles']) {
        assert.equal(BigInt(row[m]), mine.get(row.ModelId)[m], `${row.ModelId} ${m}`);
      }
    }
    await page.screenshot({ path: join(shots, 'program.png'), fullPage: true });
  });
  await test('program: 204 while nothing changed', async () => {
    const json = JSON.parse(await get('api/page'));
    const response = await fetch(`${base}api/page?after=${encodeURIComponent(json.version)}`);
    assert.ok([200, 204].includes(response.status));
    if (response.status === 200) assert.notEqual((await response.json()).version, json.version);
  });
}

if (program) {
  const get = async (path) => (await fetch(program.url + path)).text();
  const loaded = async (page, hash = '') => {
    await page.goto(program.url + hash);
    await page.waitForFunction(() => document.getElementById('status').dataset.state === 'live');
  };

  await test('program: filters equal /api/usage of the same question', async (page) => {
    await loaded(page);
    const rows = parseExact(await get('api/usage?by=AccountId,SourceRegion,ModelId&interval=all')).rows;
    const account = rows[0].AccountId;
    await page.click('[data-dimension="AccountId"] .drop');
    await page.click(`[data-dimension="AccountId"] .option:has(bdi:text-is("${account}"))`);
    await page.keyboard.press('Escape');
    let total = rows.filter((r) => r.AccountId === account)
      .reduce((sum, r) => sum + BigInt(r.TotalTokenCount), 0n);
    assert.equal(await title(page, 'tokens'), `${grouped(total)} tokens`);
    const region = rows.find((r) => r.AccountId === account).SourceRegion;
    await loaded(page, `#account=${account}&source=${region}`);
    await page.reload();
    await page.waitForSelector('.chip');
    await checkAll(page, JSON.parse(await get('api/page')), (r) => r.AccountId === account &&
      (!new URL(page.url()).hash.includes('source') || r.SourceRegion === region));
  });

  await test('program: live, a file that arrives is on the page', async (page) => {
    await loaded(page);
    const before = BigInt(JSON.parse(await get('api/usage')).totals.TotalTokenCount);
    await page.screenshot({ path: join(shots, 'program-light.png'), fullPage: true });
    for (let n = 1; n <= 3; n++) {
      program.addFile(`live-${n}`, 'anthropic.claude-sonnet-4-20250514-v1:0', 1000 * n);
      const want = before + [0n, 1000n, 3000n, 6000n][n];
      await page.waitForFunction((t) => document.getElementById('card-tokens').title === t,
        `${grouped(want)} tokens`);
    }
    await checkAll(page, JSON.parse(await get('api/page')));
    assert.match(await page.textContent('#status'), /Live, updated/);
  });

  await test('program: dark, and on a phone', async (page) => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await loaded(page);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    assert.deepEqual(await poorContrast(page), []);
    await page.screenshot({ path: join(shots, 'program-dark.png'), fullPage: true });
    await page.setViewportSize({ width: 375, height: 780 });
    await page.waitForTimeout(200);
    assert.ok(await page.evaluate(() =>
      document.documentElement.scrollWidth <= document.documentElement.clientWidth));
    await page.screenshot({ path: join(shots, 'program-phone.png'), fullPage: true });
  });

  await test('program: prints', async (page) => {
    await loaded(page);
    await page.emulateMedia({ media: 'print' });
    await page.waitForTimeout(200);
    await page.screenshot({ path: join(shots, 'program-print.png'), fullPage: true });
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
      'rgb(255, 255, 255)');
  });
}

const reportFile = process.env.REPORT ?? (program ? program.report() : null);
if (reportFile) {
  await test('program: its report file', async (page) => {
    await page.goto(pathToFileURL(resolve(reportFile)).href);
    await page.waitForSelector('#panels:not([hidden])');
    const json = JSON.parse(await page.evaluate(async () => {
      const e = document.getElementById('bedrock-metrics-data');
      if (e.dataset.encoding !== 'gzip+base64') return e.textContent;
      const bytes = Uint8Array.from(atob(e.textContent.trim()), (c) => c.charCodeAt(0));
      return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
    }));
    await checkAll(page, json);
    if (json.principals) {
      await checkBreakdown(page, 'principals', sums(json, 'principals', (r) => r.Principal));
    }
    await page.screenshot({ path: join(shots, 'report.png'), fullPage: true });
  });
}

await test('network: no request left loopback in any test', async () => {
  assert.deepEqual(outside, []);
});

await browser.close();
await program?.stop();
rmSync(scratch, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
