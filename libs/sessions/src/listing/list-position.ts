/** Where a list goes on: the shard, the edge (where all edges are walked), and the entry of its index. */
export interface ListPosition {
  readonly shard: number;
  readonly edge: string;
  /** Which part of the edge's index, from 1; a channel's index is one part. */
  readonly part: number;
  readonly openedAt: string;
  readonly member: string;
}

/** A cursor that none of our lists gave out. */
export class InvalidCursorError extends Error {
  readonly code = 'INVALID_CURSOR';
  override readonly name = 'InvalidCursorError';
}

export const BEGINNING: ListPosition = { shard: 0, edge: '', part: 1, openedAt: '', member: '' };

/** Opaque to whoever holds it: base64url. */
export function writeCursor(position: ListPosition): string {
  const { shard, edge, part, openedAt, member } = position;
  return Buffer.from(JSON.stringify([shard, edge, openedAt, member, part])).toString('base64url');
}

/** Throws InvalidCursorError for what `writeCursor` did not write. */
export function readCursor(cursor: string | undefined): ListPosition {
  if (cursor === undefined || cursor === '') return BEGINNING;
  const [shard, edge, openedAt, member, part = 1] = parsed(cursor);
  if (
    !Number.isInteger(shard) ||
    !Number.isInteger(part) ||
    typeof edge !== 'string' ||
    typeof openedAt !== 'string' ||
    typeof member !== 'string' ||
    !/^\d*(\.\d+)?$/.test(openedAt)
  ) {
    throw new InvalidCursorError('the cursor of a list of sessions: not one that a list gave out');
  }
  return { shard: shard as number, edge, part: part as number, openedAt, member };
}

function parsed(cursor: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
