import { isShareSuspicion, type ShareSuspicion } from './suspicion.js';

/** A share of answers as it was counted: hits of answers in the last minute, and usually. */
export interface ShareCounts {
  readonly answers: number;
  readonly hits: number;
  /** Of the last hours; older ones count less. */
  readonly usualAnswers: number;
  readonly usualHits: number;
}

/** Denials as one guard has counted them, or several together. */
export interface GuardCounts {
  readonly known: ShareCounts;
  readonly all: ShareCounts;
}

/** What a guard tells those of the other processes with each heartbeat; or what several of them tell together. */
export interface GuardReport extends GuardCounts {
  readonly suspicion?: ShareSuspicion | undefined;
}

/** In the last minute; 0 to 1. */
export function shareOf({ answers, hits }: ShareCounts): number {
  return answers === 0 ? 0 : hits / answers;
}

/** In the last hours; 0 to 1; 0 where nothing is known. */
export function usualOf({ usualAnswers, usualHits }: ShareCounts): number {
  return usualAnswers === 0 ? 0 : usualHits / usualAnswers;
}

export function sumOf(one: GuardCounts, other: GuardCounts): GuardCounts {
  return { known: added(one.known, other.known), all: added(one.all, other.all) };
}

/** Of several processes; undefined for none. The suspicion is the one that began first. */
export function reportOfAll(reports: readonly GuardReport[]): GuardReport | undefined {
  if (reports.length === 0) return undefined;
  const suspicions = reports.flatMap(({ suspicion }) => suspicion ?? []);
  return {
    ...reports.map(({ known, all }): GuardCounts => ({ known, all })).reduce(sumOf),
    suspicion: suspicions.sort((a, b) => a.since - b.since)[0],
  };
}

/** Read from a heartbeat; undefined for what is none, as another version may send it. */
export function readReport(value: unknown): GuardReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { known, all, suspicion } = value as Readonly<Record<string, unknown>>;
  if (!isCounts(known) || !isCounts(all)) return undefined;
  return { known, all, suspicion: isShareSuspicion(suspicion) ? suspicion : undefined };
}

function added(one: ShareCounts, other: ShareCounts): ShareCounts {
  return {
    answers: one.answers + other.answers,
    hits: one.hits + other.hits,
    usualAnswers: one.usualAnswers + other.usualAnswers,
    usualHits: one.usualHits + other.usualHits,
  };
}

function isCounts(value: unknown): value is ShareCounts {
  if (typeof value !== 'object' || value === null) return false;
  const { answers, hits, usualAnswers, usualHits } = value as Readonly<Record<string, unknown>>;
  return [answers, hits, usualAnswers, usualHits].every(
    (count) => Number.isFinite(count) && Number(count) >= 0,
  );
}
