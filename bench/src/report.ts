import { mkdirSync, writeFileSync } from 'node:fs';
import type { Figure, Figures } from './figure.js';
import type { Spread } from './statistics.js';

const COLUMNS = ['figure', 'value', 'unit', 'beside', 'ratio', 'aim', 'spread'] as const;

/** A table for people: one line a figure. */
export function table(figures: Figures): string {
  const rows = [COLUMNS, ...Object.entries(figures).map(row)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows
    .map((cells) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

function row([name, figure]: [string, Figure]): readonly string[] {
  const { value, unit, beside, besideWhat, ratio, ratioSpread, spread, aim, noisy } = figure;
  return [
    name,
    short(value),
    unit,
    beside === undefined ? '' : `${short(beside)} (${besideWhat})`,
    ratio === undefined ? '' : ratio.toFixed(2),
    aim === undefined
      ? ''
      : `${aim.text}: ${noisy === true ? 'not told (noisy)' : aim.met ? 'met' : 'MISSED'}`,
    `${range(spread)}${ratioSpread === undefined ? '' : `, ratio ${range(ratioSpread)}`}`,
  ];
}

const range = ({ min, max }: Spread): string => (min === max ? '' : `${short(min)} … ${short(max)}`);

/** Three digits tell enough; more of them would only tell of noise. */
function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** Numbers of six digits at most: the rest is noise. */
export const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(6)) : value;

export function writeResults(folder: URL, results: Readonly<Record<string, unknown>>): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('latest.json', folder), `${JSON.stringify(results, rounded, 2)}\n`);
}
