import { connect } from 'node:net';

/** Until when an answer has to be there, ms: a Redis may be paused meanwhile. */
const TIMEOUT = 10_000;

/**
 * Asks a Redis on the loopback one thing, on a connection of its own, and answers as `redis-cli` would print it: strings
 * as they are, a list's parts on a line each, nil as nothing, an error as its sentence. No process is started for it:
 * that is dear where a big one forks.
 * Rejects where nothing answers within 10 s, or the connection ends before.
 */
export function askRedis(port: number, args: readonly string[], password?: string): Promise<string> {
  const commands = password === undefined ? [args] : [['AUTH', password], args];
  return new Promise((answer, fail) => {
    const socket = connect({ host: '127.0.0.1', port });
    const failed = (reason: string): void => {
      socket.destroy();
      fail(new Error(`Redis at port ${port}, ${args[0]}: ${reason}`));
    };
    const chunks: Buffer[] = [];
    socket.setTimeout(TIMEOUT, () => failed(`no answer within ${TIMEOUT} ms`));
    socket.once('error', ({ message }) => failed(message));
    socket.once('end', () => failed('the connection ended'));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const replies = readReplies(Buffer.concat(chunks), commands.length, 0);
      if (replies === undefined) return;
      socket.destroy();
      answer(replies.texts.at(-1)!.trimEnd());
    });
    socket.write(commands.map(encode).join(''));
  });
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}

/** So many RESP2 replies as text, and where the next one begins; undefined while they are not all there. */
function readReplies(
  received: Buffer,
  count: number,
  from: number,
): { readonly texts: string[]; readonly end: number } | undefined {
  const texts: string[] = [];
  let end = from;
  while (texts.length < count) {
    const reply = readReply(received, end);
    if (reply === undefined) return undefined;
    texts.push(reply.text);
    end = reply.end;
  }
  return { texts, end };
}

function readReply(
  received: Buffer,
  from: number,
): { readonly text: string; readonly end: number } | undefined {
  const lineEnd = received.indexOf('\r\n', from);
  if (lineEnd === -1) return undefined;
  const line = received.toString('utf8', from, lineEnd);
  const [kind, rest, next] = [line[0], line.slice(1), lineEnd + 2];
  if (kind === '*') {
    const parts = readReplies(received, Math.max(0, Number(rest)), next);
    return parts && { text: parts.texts.join('\n'), end: parts.end };
  }
  if (kind !== '$') return { text: rest, end: next };
  if (rest === '-1') return { text: '', end: next };
  const end = next + Number(rest);
  return received.length < end + 2 ? undefined : { text: received.toString('utf8', next, end), end: end + 2 };
}
