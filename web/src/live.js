/*
 * The data of a served page: fetched once, then asked for again with the version at hand.  The
 * server answers 204 while nothing changed, at once or after holding the question for a while.
 */

const REQUEST_TIMEOUT = 60000;
const LEAST_PAUSE = 1000;
const POLL_PAUSE = 2500;
const LONGEST_BACKOFF = 30000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function whenVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener('visibilitychange', function seen() {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', seen);
      resolve();
    });
  });
}

async function ask(version) {
  const query = version === null ? '' : `?after=${encodeURIComponent(version)}`;
  const response = await fetch(`/api/page${query}`, {
    cache: 'no-store',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT),
  });
  if (response.status === 204 || response.status === 304) return null;
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}

/* Runs for the life of the page.  onJson may throw; its error is then reported like any other. */
export async function follow({ onJson, onCurrent, onError }) {
  let version = null;
  let failures = 0;
  for (;;) {
    await whenVisible();
    const asked = Date.now();
    try {
      const json = await ask(version);
      if (json) {
        onJson(json);
        version = String(json.version ?? '');
      }
      failures = 0;
      onCurrent();
      const quick = Date.now() - asked < LEAST_PAUSE;
      await sleep(json || !quick ? LEAST_PAUSE : POLL_PAUSE);
    } catch (error) {
      failures++;
      const pause = Math.min(LONGEST_BACKOFF, 1000 * 2 ** Math.min(failures, 5));
      onError(error, pause);
      await Promise.race([sleep(pause), new Promise((r) => (follow.retry = r))]);
    }
  }
}
