import { isReplyError } from './line.js';
import type { Argument, Command, Line } from './line.js';
import { AWAY, NOBODY } from './request.js';
import type { Outcome, PendingRequest } from './request.js';
import { ADD_REQUESTS } from './scripts.js';

/** More in one command would keep Redis from others, and the servers waiting, for too long. */
const GROUP_SIZE = 32;

export interface RequestWriterParts {
  readonly line: Line;
  /** A stream keeps about this many. */
  readonly maxBacklog: number;
  readonly timeoutMs: number;
  readonly onAdded: (request: PendingRequest, entryId: string) => void;
  /** It is in no stream; with AWAY that is not certain. */
  readonly onRefused: (request: PendingRequest, outcome: Outcome) => void;
  /** It was still in its stream, and is not any more. */
  readonly onRemoved: (request: PendingRequest) => void;
}

/** Adds requests to their streams and takes them out again: all that a tick has in one write. */
export class RequestWriter {
  #adding: PendingRequest[] = [];
  #removing: PendingRequest[] = [];
  #scheduled = false;

  constructor(private readonly parts: RequestWriterParts) {}

  /** One that is settled before it is written is not written. */
  add(request: PendingRequest): void {
    this.#adding.push(request);
    this.#schedule();
  }

  /** Its `entryId` is known. */
  remove(request: PendingRequest): void {
    this.#removing.push(request);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    const groups = grouped(this.#adding);
    const removing = this.#removing;
    this.#adding = [];
    this.#removing = [];
    const adds = groups.map((group) => this.#addCommand(group));
    const removals = removing.map((request): Command => ['xdel', request.stream, request.entryId!]);
    if (adds.length + removals.length === 0) return;
    try {
      const answers = await this.parts.line.pipeline([...adds, ...removals], this.parts.timeoutMs);
      for (const [index, group] of groups.entries()) {
        const [error, ids] = answers[index]!;
        const known = isReplyError(error, 'NOSCRIPT') ? await this.#addUnknown(adds[index]!) : [error, ids];
        this.#onAnswer(group, known[0] as Error | null, (known[1] ?? []) as Buffer[]);
      }
      for (const [index, request] of removing.entries()) {
        if (Number(answers[groups.length + index]![1]) === 1) this.parts.onRemoved(request);
      }
    } catch (error) {
      for (const group of groups) this.#onAnswer(group, error as Error, []);
    }
  }

  #addCommand(group: readonly PendingRequest[]): Command {
    const command: Argument[] = [ADD_REQUESTS.sha, 1, group[0]!.stream, this.parts.maxBacklog];
    for (const request of group) {
      command.push(request.message, request.bytes ?? '');
      request.sent();
    }
    return ['evalsha', ...command];
  }

  /** A Redis that does not know the script (yet, or after a restart) is sent all of it. */
  async #addUnknown([, , ...rest]: Command): Promise<[Error | null, unknown]> {
    try {
      return [null, await this.parts.line.call(['eval', ADD_REQUESTS.source, ...rest], this.parts.timeoutMs)];
    } catch (error) {
      return [error as Error, []];
    }
  }

  #onAnswer(group: readonly PendingRequest[], error: Error | null, ids: readonly Buffer[]): void {
    for (const [index, request] of group.entries()) {
      const id = ids[index];
      if (id !== undefined) this.parts.onAdded(request, id.toString());
      // Only servers make streams: where there is none nobody listens.
      else this.parts.onRefused(request, error === null ? NOBODY : AWAY);
    }
  }
}

/** What is still to be sent, by stream. */
function grouped(requests: readonly PendingRequest[]): PendingRequest[][] {
  const groups: PendingRequest[][] = [];
  const open = new Map<string, PendingRequest[]>();
  for (const request of requests) {
    if (request.settled) continue;
    let group = open.get(request.stream);
    if (group === undefined || group.length === GROUP_SIZE) {
      group = [];
      groups.push(group);
      open.set(request.stream, group);
    }
    group.push(request);
  }
  return groups;
}
