import { bodyForm, hasPlaceholder, readHeaderLine } from './call-template.js';
import type { Problem } from './problem.js';
import type { Config, EdgeConfig } from './schema.js';

export type ControlConfig = NonNullable<EdgeConfig['control']>;
export type ControlType = NonNullable<ControlConfig['type']>;

/** The API that comes with a dialect's server. */
const OF_DIALECT: Readonly<Record<string, ControlType | undefined>> = {
  astra: 'astra',
  mediamtx: 'mediamtx',
};
/** What the connection itself sends, or what must not be said twice. */
const NOT_OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What an edge's API is; undefined: it has none, or none that is known. */
export function controlTypeOf({ dialect, control }: EdgeConfig): ControlType | undefined {
  return control === undefined ? undefined : (control.type ?? OF_DIALECT[dialect]);
}

/** What is wrong with how edges are told to cut. */
export function controlProblems({ edges }: Config): Problem[] {
  return Object.entries(edges).flatMap(([name, edge]) => {
    if (edge.control === undefined) return [];
    const path = ['edges', name, 'control'];
    return controlTypeOf(edge) === 'http' ? callProblems(edge.control, path) : plainProblems(edge, path);
  });
}

/** Edges whose API is of no use. */
export function controlWarnings({ edges }: Config): Problem[] {
  return Object.entries(edges)
    .filter(([, edge]) => edge.control !== undefined && controlTypeOf(edge) === undefined)
    .map(([name, { dialect }]) => ({
      path: ['edges', name, 'control'],
      message: `no API of ${dialect} is known: its sessions are neither listed nor cut. Say how with type: http`,
    }));
}

/** Only a call of type http is put together from the settings. */
function plainProblems(edge: EdgeConfig, path: Problem['path']): Problem[] {
  const { url, headers, body, success } = edge.control!;
  const message = 'only type: http has it';
  return [
    ...(hasPlaceholder(url) ? [{ path: [...path, 'url'], message: 'only type: http has placeholders' }] : []),
    ...(headers.length > 0 ? [{ path: [...path, 'headers'], message }] : []),
    ...(body === undefined ? [] : [{ path: [...path, 'body'], message }]),
    ...(success.length > 0 ? [{ path: [...path, 'success'], message }] : []),
  ];
}

function callProblems(control: ControlConfig, path: Problem['path']): Problem[] {
  const { url, headers, body, method, user } = control;
  const problems: Problem[] = [];
  const say = (key: string, message: string) => problems.push({ path: [...path, key], message });
  const texts = [url, ...headers, body ?? ''];
  if (!texts.some(hasPlaceholder))
    say('url', 'nothing says which session: put {session} into url, headers or body');
  const names = headers.map((line) => readHeaderLine(line)[0].toLowerCase());
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) say('headers', `${twice} is there twice`);
  const foreign = names.find((name) => NOT_OURS.has(name));
  if (foreign !== undefined) say('headers', `${foreign} is not for you to set`);
  if (user !== '' && names.includes('authorization')) {
    say('headers', 'user and password are sent as authorization already; keep one of them');
  }
  if (body !== undefined && method === 'GET') say('body', 'a GET has none; choose another method');
  if (body !== undefined && hasPlaceholder(body)) {
    const at = names.indexOf('content-type');
    const type = at === -1 ? 'application/json' : readHeaderLine(headers[at]!)[1];
    const wrong = bodyProblem(body, bodyForm(type));
    if (wrong !== undefined) say('body', wrong);
  }
  return problems;
}

function bodyProblem(body: string, form: ReturnType<typeof bodyForm>): string | undefined {
  if (form === 'form') return undefined;
  if (form === 'other') {
    return 'placeholders can stand in JSON and in forms only: nothing else is escaped. Set the header content-type';
  }
  try {
    // A digit may stand within quotes and without.
    JSON.parse(body.replaceAll(/\{[a-z]+\}/g, '0'));
    return undefined;
  } catch {
    return 'expected JSON, such as {"session": "{session}"}';
  }
}
