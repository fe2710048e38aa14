/*
 * Builds the page: one HTML file with its style, script and chart library inside.
 *   node web/build.mjs --out build/web/index.html
 * The same sources give the same bytes.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const MARKER = '<!--BEDROCK-METRICS-DATA-->';
const MOST_BYTES = 150 * 1024;
const TARGET = ['chrome103', 'firefox113', 'safari16.4'];

const out = process.argv[2] === '--out' && process.argv.length === 4 ? process.argv[3] : null;
if (!out) {
  console.error('usage: node build.mjs --out FILE');
  process.exit(2);
}

const read = (...path) => readFileSync(join(here, ...path), 'utf8');
const library = join('node_modules', 'uplot');

const bundle = await build({
  entryPoints: [join(here, 'src', 'main.js')],
  bundle: true,
  minify: true,
  format: 'iife',
  target: TARGET,
  charset: 'utf8',
  legalComments: 'none', /* the licence stands in the head, in full */
  write: false,
});
const script = bundle.outputFiles[0].text.trim();
const css = await transform(read(library, 'dist', 'uPlot.min.css') + read('src', 'style.css'), {
  loader: 'css',
  minify: true,
  target: TARGET,
});
const style = css.code.trim();

const hash = createHash('sha256').update(script, 'utf8').digest('base64');
const policy = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${hash}'`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const parts = {
  '%CSP%': policy,
  '%LICENCE%': `<!--\nThis page contains uPlot ${JSON.parse(read(library, 'package.json')).version}:\n\n${read(
    library,
    'LICENSE',
  ).trim()}\n-->`,
  '%STYLE%': style,
  '%SCRIPT%': script,
};
const html = read('src', 'index.html').replace(
  /%(CSP|LICENCE|STYLE|SCRIPT)%/g, (key) => parts[key]);

function check(holds, what) {
  if (!holds) {
    console.error(`build.mjs: ${what}`);
    process.exit(1);
  }
}
check(html.split(MARKER).length === 2, 'the data marker must be in the page exactly once');
check(!/<\/(script|style)|<!--/i.test(script + style), 'script or style would end early');
check(!/(src|href)="?(https?:)?\/\//i.test(html), 'the page would load another resource');
check(Buffer.byteLength(html) <= MOST_BYTES, `larger than ${MOST_BYTES} bytes`);

mkdirSync(dirname(resolve(out)), { recursive: true });
writeFileSync(out, html);
console.log(`${out}: ${Buffer.byteLength(html)} bytes (script ${script.length}, style ${style.length})`);
