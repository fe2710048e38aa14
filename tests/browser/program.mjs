/* The built program with simulated logs: `serve` on a free port, and a report file. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export class Program {
  /* null: not built. */
  static find(build) {
    const binary = join(build, 'bedrock-metrics');
    const simulator = join(build, 'bedrock-logs-sim');
    return existsSync(binary) && existsSync(simulator) ? new Program(binary, simulator) : null;
  }

  constructor(binary, simulator) {
    this.binary = binary;
    this.scratch = mkdtempSync(join(tmpdir(), 'bedrock-program-'));
    this.logs = join(this.scratch, 'logs');
    this.env = { PATH: process.env.PATH, HOME: this.scratch, NO_COLOR: '1' };
    execFileSync(simulator, ['--out', this.logs, '--profile', 'demo', '--records', '6000', '--hours', '72'],
      { stdio: 'ignore' });
  }

  async start() {
    this.server = spawn(this.binary, ['serve', this.logs, '--store', join(this.scratch, 'store.sqlite'),
      '--listen', '127.0.0.1:0'], { env: this.env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    this.url = await new Promise((resolve, reject) => {
      this.server.on('exit', () => reject(new Error(`serve ended: ${text}`)));
      this.server.stderr.on('data', (bytes) => {
        text += bytes;
        const found = /^page: +(http:\S+)$/m.exec(text);
        if (found) resolve(found[1]);
      });
    });
    /* All of it is counted before anything is compared. */
    for (let n = 0; n < 300 && !text.includes('folder scanned'); n++) {
      await new Promise((later) => { setTimeout(later, 100); });
    }
    return this.url;
  }

  /* A file as Bedrock writes it: one record with this many input tokens. */
  addFile(name, model, tokens) {
    const record = {
      schemaType: 'ModelInvocationLog', schemaVersion: '1.0', timestamp: '2026-11-03T10:00:00Z',
      accountId: '111122223333', region: 'us-east-1', requestId: name, operation: 'Converse', modelId: model,
      identity: { arn: 'arn:aws:iam::111122223333:user/browser' },
      input: { inputTokenCount: tokens }, output: { outputTokenCount: 0 },
    };
    const path = join(this.logs, `${name}.json.gz`);
    mkdirSync(this.logs, { recursive: true });
    writeFileSync(`${path}.part`, gzipSync(`${JSON.stringify(record)}\n`));
    renameSync(`${path}.part`, path);
  }

  report() {
    const file = join(this.scratch, 'report.html');
    execFileSync(this.binary, ['report', this.logs, '--quiet', '--out', file], { env: this.env });
    return file;
  }

  async stop() {
    if (this.server && this.server.exitCode === null) {
      this.server.removeAllListeners('exit');
      const ended = new Promise((resolve) => { this.server.on('exit', resolve); });
      this.server.kill('SIGTERM');
      await ended;
    }
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
