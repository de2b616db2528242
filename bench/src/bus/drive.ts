import { setTimeout as delay } from 'node:timers/promises';

/** Bytes of one message's data, as JSON. */
const BYTES = 450;
const IN_FLIGHT = 256;

export interface Message {
  readonly id: number;
  readonly text: string;
}

/** A message of BYTES bytes; its server answers with the id. */
export function message(id: number): Message {
  const around = JSON.stringify({ id, text: '' }).length;
  return { id, text: 'x'.repeat(BYTES - around) };
}

/** Asks once; `done` is called with the answer. */
export type Ask = (done: () => void) => void;

/** Keeps IN_FLIGHT questions on their way for `warm` + `seconds` seconds; gives round trips a second of the latter. */
export async function drive(ask: Ask, seconds: number, warm: number): Promise<number> {
  let answered = 0;
  let running = true;
  const done = (): void => {
    answered += 1;
    if (running) ask(done);
  };
  for (let i = 0; i < IN_FLIGHT; i += 1) ask(done);
  await delay(warm * 1000);
  const before = answered;
  const began = performance.now();
  await delay(seconds * 1000);
  const rate = ((answered - before) / (performance.now() - began)) * 1000;
  running = false;
  await delay(200);
  return rate;
}
