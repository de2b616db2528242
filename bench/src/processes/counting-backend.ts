/**
 * As the trivial one, allows for ten hours, and remembers when it was asked about whom: told, and forgotten, at 'calls'. From
 * 'fails' to 'well' it answers 500.
 */
import { createServer } from 'node:http';
import { KEEP_ALIVE, listenForParent } from './tell-port.js';

const TOKEN = 'token=';
const TEN_HOURS = '36000';

/** Viewer's number, and when, of `performance.now()`, in turn. */
let calls: number[] = [];
let status = 200;

process.on('message', (word) => {
  if (word === 'fails') status = 500;
  if (word === 'well') status = 200;
  if (word !== 'calls') return;
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
    response.writeHead(status, headers);
    response.end();
  }),
);
