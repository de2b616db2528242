import { connect, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('ontent-Length: ');
const ZERO = 48;
const RECEIVE_BYTES = 16_384;
/** `HTTP/1.1 200`: where the status stands. */
const STATUS_AT = 9;

export interface ConnectionOwner {
  answered(connection: Connection, status: number): void;
  /** The server closed it, or it was reset. */
  broken(): void;
}

/**
 * A keep-alive connection with at most one check in flight. It reads as little of an answer as it takes to know that
 * it is complete, so that a generator keeps ahead of any server.
 */
export class Connection {
  #unread = Buffer.alloc(0);

  private constructor(
    private readonly socket: Socket,
    private readonly owner: ConnectionOwner,
  ) {}

  /** Rejects where nobody listens. */
  static open(port: number, owner: ConnectionOwner): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const buffer = Buffer.alloc(RECEIVE_BYTES);
      const socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer,
          callback: (bytes) => {
            connection.#read(buffer.subarray(0, bytes));
            return true;
          },
        },
      });
      const connection = new Connection(socket, owner);
      socket.once('connect', () => resolve(connection));
      socket.once('error', reject);
      socket.once('close', () => owner.broken());
    });
  }

  /** When the last check was due or sent, ms; kept here for whoever reads the answer. */
  since = 0;

  send(check: Buffer | string): void {
    if (typeof check === 'string') this.socket.write(check, 'latin1');
    else this.socket.write(check);
  }

  /** What is lost from now on is no error. */
  close(): void {
    this.socket.removeAllListeners('close').on('error', () => undefined);
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    // Chunks are parts of a buffer that is used again: what is not complete is copied.
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    const end = bytes.indexOf(HEAD_END);
    if (end === -1 || bytes.length < end + HEAD_END.length + contentLength(bytes, end)) {
      this.#unread = Buffer.from(bytes);
      return;
    }
    if (this.#unread.length > 0) this.#unread = Buffer.alloc(0);
    this.owner.answered(this, numberAt(bytes, STATUS_AT));
  }
}

function contentLength(head: Buffer, headEnd: number): number {
  const at = head.indexOf(LENGTH);
  return at === -1 || at > headEnd ? 0 : numberAt(head, at + LENGTH.length);
}

function numberAt(bytes: Buffer, from: number): number {
  let number = 0;
  for (let i = from; bytes[i]! >= ZERO && bytes[i]! <= ZERO + 9; i += 1)
    number = number * 10 + bytes[i]! - ZERO;
  return number;
}
