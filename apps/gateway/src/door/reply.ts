import type { ServerResponse } from 'node:http';
import { reasonSentence, type Decision } from '#usher/domain';
import type { EdgeAnswer } from '#usher/dialects';

/** Header names and values in turn, as `writeHead` takes them: prepared once, written often. */
export type FlatHeaders = readonly string[];

export function flatHeaders(answer: EdgeAnswer): FlatHeaders {
  return Object.entries(answer.headers).flat();
}

/** How the gateway's own words are added to an answer. */
export interface ReplyStyle {
  /** Send X-Usher-Source and X-Usher-Id. */
  readonly answerHeaders: boolean;
  /** Draining: the edge is told to close, so that its next check goes to a living gateway. */
  draining: boolean;
}

/** Writes an answer; `headers` are its own, prepared. */
export function writeAnswer(
  response: ServerResponse,
  style: ReplyStyle,
  { status, body = '' }: Pick<EdgeAnswer, 'status' | 'body'>,
  headers: FlatHeaders,
  source: string,
  id: string,
): void {
  const written = [...headers];
  if (style.answerHeaders) written.push('X-Usher-Source', source, 'X-Usher-Id', id);
  if (style.draining) written.push('Connection', 'close');
  written.push('Content-Length', body === '' ? '0' : String(Buffer.byteLength(body)));
  response.writeHead(status, written);
  response.end(body);
}

/** For somebody who tries it by hand: reason and source in the body. */
export function writeExplained(
  response: ServerResponse,
  style: ReplyStyle,
  answer: EdgeAnswer,
  decision: Decision,
  id: string,
): void {
  const lines = [
    `${decision.allow ? 'allowed' : 'denied'}: ${reasonSentence(decision.reason)}`,
    `reason: ${decision.reason}`,
    `source: ${decision.source}`,
    ...(decision.backend === undefined ? [] : [`backend: ${decision.backend}`]),
    ...(decision.sessionName === undefined ? [] : [`user: ${decision.sessionName}`]),
    `id: ${id}`,
  ];
  const body = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
  const written = [...flatHeaders(answer)];
  if (style.answerHeaders) written.push('X-Usher-Source', decision.source, 'X-Usher-Id', id);
  if (style.draining) written.push('Connection', 'close');
  written.push('Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length));
  response.writeHead(answer.status, written);
  response.end(body);
}

/** A refusal of the gateway's own: no check came of it. */
export function writeProblem(response: ServerResponse, status: number, sentence: string): void {
  const body = Buffer.from(`${sentence}\n`, 'utf8');
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    // What was not understood may not end where we think it does.
    Connection: 'close',
  });
  response.end(body);
}
