import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LifecycleEvent } from '#usher/sessions';

/** One delivery as it came in. */
export interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly events: readonly LifecycleEvent[];
}

/** Answers one delivery: a status, or whatever it does with the response. */
export type Answer = (received: Received, response: ServerResponse) => number | void;

/** A real receiver on a socket. */
export interface TestReceiver {
  readonly url: string;
  /** All that came, answered well or not. */
  readonly received: Received[];
  /** Of what it answered with 2xx, in the order in which that came. */
  taken(): LifecycleEvent[];
  answer: Answer;
  close(): Promise<void>;
}

export async function startReceiver(answer: Answer = () => 204): Promise<TestReceiver> {
  const received: Received[] = [];
  const taken: LifecycleEvent[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { events } = JSON.parse(body) as { events: LifecycleEvent[] };
      const one = { headers: request.headers, body, events };
      received.push(one);
      const status = receiver.answer(one, response);
      if (typeof status !== 'number') return;
      if (status >= 200 && status < 300) taken.push(...events);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: TestReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    taken: () => taken,
    answer,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return receiver;
}

let sequence = 0;

/** An event of a shard, younger than all before it. */
export function anEvent(shard: string, session: string, type = 'session.opened'): LifecycleEvent {
  sequence += 1;
  const id = `${Date.now()}-${String(sequence).padStart(6, '0')}-${shard}`;
  return {
    id,
    type,
    time: new Date().toISOString(),
    edge: 'astra-1',
    session,
    opening: id,
    facts: { n: `${sequence}` },
  };
}
