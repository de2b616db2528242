import type { Question } from '#usher/domain';
import type { Sealer } from '#usher/redis';

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
const CONTEXT = 'question';

/** A question as it travels: sealed as a whole, for the query, the path and the host may hold a credential. */
export interface QuestionCodec {
  encode(question: Question): string;
  /** Undefined for what was not sealed under one of our secrets, or is of a version that we cannot read. */
  decode(sealed: unknown): Question | undefined;
}

export function questionCodec(sealer: Sealer): QuestionCodec {
  return {
    encode: (question) => sealer.seal(JSON.stringify({ v: VERSION, question }), CONTEXT),
    decode: (sealed) => {
      const text = typeof sealed === 'string' ? sealer.open(sealed, CONTEXT) : undefined;
      if (text === undefined) return undefined;
      // What opens was sealed by one of us: its shape is ours, and fields of a newer version are left alone.
      const message = JSON.parse(text) as { v: number; question: Question };
      return message.v === VERSION ? message.question : undefined;
    },
  };
}
