import { controlTypeOf } from '#usher/config';
import type { EdgeConfig } from '#usher/config';
import type { Session } from '#usher/domain';
import { AstraCutter } from './astra-cutter.js';
import type { AstraCutterParts } from './astra-cutter.js';
import type { CutResult } from './cut-result.js';
import type { Cutter, CutResults } from './cutter.js';
import { HttpCutter } from './http-cutter.js';
import { MediaMtxCutter } from './mediamtx-cutter.js';

/** The cutters of all edges that are configured with one. */
export class EdgeCutters {
  readonly #cutters = new Map<string, Cutter>();

  /** Throws where an address or a template is wrong. */
  constructor(edges: Readonly<Record<string, EdgeConfig>>, parts: AstraCutterParts) {
    for (const [name, edge] of Object.entries(edges)) {
      const cutter = cutterOf(edge, parts);
      if (cutter !== undefined) this.#cutters.set(name, cutter);
    }
  }

  /** Whether it can be told to cut; a limit may evict there, and a kick ends what plays. */
  canCut(edge: string): boolean {
    return this.#cutters.has(edge);
  }

  /** Never rejects. */
  async cut(session: Session, signal: AbortSignal): Promise<CutResult> {
    const cutter = this.#cutters.get(session.edge);
    return cutter === undefined ? cannotCut(session.edge) : cutter.cut(session, signal);
  }

  /** The same of several sessions of one edge, in fewer calls where the edge allows it. */
  async cutAll(edge: string, sessions: readonly Session[], signal: AbortSignal): Promise<CutResults> {
    const cutter = this.#cutters.get(edge);
    return cutter === undefined ? sessions.map(() => cannotCut(edge)) : cutter.cutAll(sessions, signal);
  }
}

function cannotCut(edge: string): CutResult {
  return { kind: 'cannot', detail: `the edge ${edge} cannot be told to cut: edges.${edge}.control` };
}

function cutterOf(edge: EdgeConfig, parts: AstraCutterParts): Cutter | undefined {
  const { control } = edge;
  if (control === undefined) return undefined;
  const { timeout } = parts;
  switch (controlTypeOf(edge)) {
    case 'astra':
      return new AstraCutter(control, parts);
    case 'mediamtx':
      return new MediaMtxCutter(control, { timeout });
    case 'http':
      return new HttpCutter(control, { timeout });
    case undefined:
      return undefined;
  }
}
