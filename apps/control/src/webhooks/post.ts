import type { Receiver } from './receiver.js';
import { sign } from './signature.js';

/** Bytes of an answer that are read, so that its connection can be used again; what they say is of no interest. */
const READ = 16_384;
/** The longest wait that a receiver may ask for, ms. */
const LONGEST_RETRY_AFTER = 600_000;
/** They speak of what was sent: the same again would be answered the same. */
const ABOUT_CONTENT: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** What became of one delivery. */
export type Posted =
  | { readonly kind: 'delivered' }
  /** 410: it wants no more, ever. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed';
      /** For people. */
      readonly why: string;
      /** It is the content that the receiver does not like. */
      readonly refused: boolean;
      /** The receiver asks to be left alone so long, ms. */
      readonly retryAfter: number;
    };

export interface Delivery {
  readonly id: string;
  readonly body: string;
  /** Now, cluster time, ms. */
  readonly at: number;
}

/** Posts one delivery. Follows no redirect, and waits no longer than the receiver's timeout. Never rejects. */
export async function post(receiver: Receiver, { id, body, at }: Delivery): Promise<Posted> {
  const timeout = AbortSignal.timeout(receiver.timeout);
  const { authorization } = receiver;
  try {
    const response = await fetch(receiver.url, {
      method: 'POST',
      redirect: 'manual',
      signal: timeout,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Usher',
        ...(authorization === '' ? {} : { authorization }),
        ...sign(receiver.keys, id, at, body),
      },
      body,
    });
    await readSome(response);
    return judge(response);
  } catch (error) {
    const why = timeout.aborted ? `no answer within ${receiver.timeout} ms` : reasonOf(error);
    return { kind: 'failed', why, refused: false, retryAfter: 0 };
  }
}

function judge({ status, headers }: Response): Posted {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone' };
  const why =
    status >= 300 && status < 400 ? `status ${status}: redirects are not followed` : `status ${status}`;
  return {
    kind: 'failed',
    why,
    refused: ABOUT_CONTENT.has(status),
    retryAfter: retryAfterOf(headers.get('retry-after') ?? ''),
  };
}

/** In seconds; a date is not waited for. */
function retryAfterOf(text: string): number {
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text) * 1_000, LONGEST_RETRY_AFTER) : 0;
}

async function readSome({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  for (let read = 0; read < READ;) {
    const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
    if (done) return;
    read += value?.length ?? 0;
  }
  await reader.cancel();
}

/** The network's word for it: fetch itself says "fetch failed" for everything. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message?: string };
  return cause?.code ?? cause?.message ?? message ?? 'no connection';
}
