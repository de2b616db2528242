/** A backend that allows everybody at once, and names the user by the number in the token. */
import { createServer } from 'node:http';
import { KEEP_ALIVE, listenForParent } from './tell-port.js';

const TOKEN = 'token=';

listenForParent(
  createServer({ keepAliveTimeout: KEEP_ALIVE }, (request, response) => {
    const url = request.url ?? '';
    const viewer = Number.parseInt(url.slice(url.indexOf(TOKEN) + TOKEN.length), 16);
    response.writeHead(200, ['X-Session-Name', `viewer-${viewer}`, 'Content-Length', '0']);
    response.end();
  }),
);
