/** As the trivial one, allows for ten hours, and remembers when it was asked about whom: told, and forgotten, on demand. */
import { createServer } from 'node:http';
import { KEEP_ALIVE, listenForParent } from './tell-port.js';

const TOKEN = 'token=';
const TEN_HOURS = '36000';

/** Viewer's number, and when, of `performance.now()`, in turn. */
let calls: number[] = [];

process.on('message', () => {
  process.send?.(calls);
  calls = [];
});
listenForParent(
  createServer({ keepAliveTimeout: KEEP_ALIVE }, (request, response) => {
    const url = request.url ?? '';
    const viewer = Number.parseInt(url.slice(url.indexOf(TOKEN) + TOKEN.length), 16);
    calls.push(viewer, performance.now());
    const headers = [
      'X-Session-Name',
      `viewer-${viewer}`,
      'X-AuthDuration',
      TEN_HOURS,
      'Content-Length',
      '0',
    ];
    response.writeHead(200, headers);
    response.end();
  }),
);
