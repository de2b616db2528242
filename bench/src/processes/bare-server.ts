/** What cached checks stand beside: `node:http` that answers 200 with these headers, and does nothing else. */
import { createServer } from 'node:http';
import { KEEP_ALIVE, listenForParent } from './tell-port.js';

/** Names and values in turn. */
const headers = process.argv.slice(2);

listenForParent(
  createServer({ keepAliveTimeout: KEEP_ALIVE }, (_request, response) => {
    response.writeHead(200, headers);
    response.end();
  }),
);
