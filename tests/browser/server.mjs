/* A stand-in for `bedrock-metrics serve`: the page and its data on a free loopback port. */

import { createServer } from 'node:http';

export class MockServer {
  constructor(html, json) {
    Object.assign(this, { html, json, failing: false, requests: [], waiting: new Set() });
    this.server = createServer((request, response) => this.answer(request, response));
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  publish(json) {
    this.json = json;
    for (const send of this.waiting) send();
    this.waiting.clear();
  }

  answer(request, response) {
    const url = new URL(request.url, this.url);
    this.requests.push(request.url);
    if (url.pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
      response.end(this.html);
      return;
    }
    if (url.pathname !== '/api/page') {
      response.writeHead(404).end();
      return;
    }
    if (this.failing) {
      response.writeHead(503).end();
      return;
    }
    const send = () => {
      response.writeHead(200, { 'content-type': 'application/json', etag: `"${this.json.version}"`,
        'cache-control': 'no-store' });
      response.end(JSON.stringify(this.json));
    };
    if (url.searchParams.get('after') !== this.json.version) {
      send();
      return;
    }
    const timer = setTimeout(() => {
      if (this.waiting.delete(release)) response.writeHead(204).end();
    }, 3000);
    const release = () => {
      clearTimeout(timer);
      send();
    };
    this.waiting.add(release);
  }
}
