import { ready } from './connect.js';
import { message, type Message } from './drive.js';
import type { Kind } from './kind.js';

const REQUESTS = 'bare:{b}:requests';
const REPLIES = 'bare:{b}:replies';
/** Of requests, and of reply batches, that one read brings. */
const [REQUEST_BATCH, REPLY_BATCH] = [128, 100];
const [MAX_REQUESTS, MAX_REPLIES] = [10_000, 1_000];
const BLOCK_MS = 1000;

interface Reply {
  readonly id: number;
  readonly data: number;
}

/**
 * The same way there and back with nothing around it: XADD in one pipeline a tick, XREADGROUP NOACK, replies in one
 * XADD a tick to the asker's own stream, XREAD, a map of what is pending. No deadlines, no "taken", no lanes, no
 * reconnects.
 */
export const bareLoop: Kind = {
  async serve(connect) {
    const [blocking, commands] = await ready(connect, 2);
    await blocking!.xgroup('CREATE', REQUESTS, 'g', '$', 'MKSTREAM').catch(() => undefined);
    let replies: Reply[] = [];
    const flush = (): void => {
      const batch = JSON.stringify(replies);
      replies = [];
      void commands!.xadd(REPLIES, 'MAXLEN', '~', MAX_REPLIES, '*', 'r', batch);
    };
    const answer = (text: string): void => {
      const { id, data } = JSON.parse(text) as { id: number; data: Message };
      if (replies.length === 0) setImmediate(flush);
      replies.push({ id, data: data.id });
    };
    const read = (): Promise<unknown> =>
      blocking!.xreadgroup(
        ...(['GROUP', 'g', 'c', 'COUNT', REQUEST_BATCH, 'BLOCK', BLOCK_MS, 'NOACK'] as const),
        ...(['STREAMS', REQUESTS, '>'] as const),
      );
    void forEver(read, (_, text) => answer(text));
  },

  async asker(connect) {
    const [blocking, commands] = await ready(connect, 2);
    const pending = new Map<number, () => void>();
    let outgoing: string[] = [];
    let nextId = 1;
    const flush = (): void => {
      const pipeline = commands!.pipeline();
      for (const text of outgoing) pipeline.xadd(REQUESTS, 'MAXLEN', '~', MAX_REQUESTS, '*', 'm', text);
      outgoing = [];
      void pipeline.exec();
    };
    const take = (text: string): void => {
      for (const { id } of JSON.parse(text) as Reply[]) {
        const done = pending.get(id);
        pending.delete(id);
        done?.();
      }
    };
    let position = '$';
    const read = (): Promise<unknown> =>
      blocking!.xread('COUNT', REPLY_BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', REPLIES, position);
    void forEver(read, (id, text) => {
      position = id;
      take(text);
    });
    return (done) => {
      const id = nextId++;
      pending.set(id, done);
      if (outgoing.length === 0) setImmediate(flush);
      outgoing.push(JSON.stringify({ id, data: message(id) }));
    };
  },
};

type Entry = [id: string, fields: string[]];

async function forEver(
  read: () => Promise<unknown>,
  each: (id: string, text: string) => void,
): Promise<void> {
  for (;;) {
    const found = (await read()) as [stream: string, entries: Entry[]][] | null;
    for (const [id, fields] of found?.[0]?.[1] ?? []) each(id, fields[1]!);
  }
}
