import fc from 'fast-check';
import { bodyForm, parseTemplate, PLACEHOLDERS } from './call-template.js';
import { controlProblems, controlTypeOf, controlWarnings } from './control-checks.js';
import { explain } from './explain.js';
import { maskConfig } from './mask.js';
import { configSchema, edgeSchema } from './schema.js';

/** What the schema and the checks say of an edge's control. */
function problems(control: Record<string, unknown>, dialect = 'astra'): string[] {
  const data = { edges: { e: { dialect, control } } };
  const parsed = configSchema.safeParse(data);
  const found = parsed.success
    ? controlProblems(parsed.data)
    : explain(parsed.error.issues, configSchema, data);
  return found.map(({ path, message }) => `${path.slice(3).join('.')}: ${message}`);
}

const call = { type: 'http', url: 'http://h/{session}' };

describe('an edge’s control', () => {
  it('is of the kind that the dialect has, or that it says', () => {
    const control = { url: 'http://h' };
    const typeOf = (edge: unknown) => controlTypeOf(edgeSchema.parse(edge));
    expect(typeOf({})).toBeUndefined();
    expect(typeOf({ control })).toBe('astra');
    expect(typeOf({ dialect: 'alta', control })).toBeUndefined();
    expect(typeOf({ dialect: 'alta', control: { ...control, type: 'mediamtx' } })).toBe('mediamtx');
  });

  it('of a dialect without an API is allowed, with a warning', () => {
    const config = configSchema.parse({ edges: { a: { dialect: 'alta', control: { url: 'http://h' } } } });
    expect(controlProblems(config)).toEqual([]);
    expect(controlWarnings(config)).toEqual([
      { path: ['edges', 'a', 'control'], message: expect.stringMatching(/no API of alta .* type: http/) },
    ]);
  });

  it.each<[string, Record<string, unknown>]>([
    ['by its address', { ...call, method: 'DELETE' }],
    ['by its query', { type: 'http', url: 'http://h:1/a?id={session}&user={user}', method: 'GET' }],
    ['by a header', { type: 'http', url: 'http://h', headers: ['X-Session: {session}'] }],
    ['by JSON', { type: 'http', url: 'http://h', body: '[{session}, "{ip}", {"b": {}}]' }],
    [
      'by a form',
      {
        type: 'http',
        url: 'http://h',
        headers: ['content-type: application/x-www-form-urlencoded'],
        body: 'session={session}&why=kicked',
      },
    ],
  ])('may name the session %s', (_, control) => {
    expect(problems(control)).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'a word that is no placeholder, saying which are',
      { type: 'http', url: 'http://h/{sesion}' },
      /^url: expected placeholders among \{session\}, \{channel\}, \{user\}, \{ip\}; \{sesion\} is none; did you mean \{session\}\?/,
    ],
    [
      'the same in a body',
      { ...call, body: '{"a": "{token}"}' },
      /^body: expected placeholders .* \{token\} is none$/,
    ],
    ['the same in a header', { ...call, headers: ['X-A: {User}'] }, /^headers\.0: .*\{User\} is none/],
    ['a host that the viewer would choose', { type: 'http', url: 'http://{ip}/' }, /^url: .*after the host/],
    [
      'a user in the address that he would',
      { type: 'http', url: 'http://{user}@h/' },
      /^url: .*after the host/,
    ],
    ['no address', { type: 'http', url: '/kick/{session}' }, /^url: expected an address such as/],
    ['a call that names no session', { type: 'http', url: 'http://h' }, /^url: .*put \{session\} into/],
    ['a body that is no JSON', { ...call, body: 'session={session}' }, /^body: expected JSON, such as/],
    [
      'a body in which nothing is escaped',
      { ...call, headers: ['Content-Type: text/xml'], body: '<a>{session}</a>' },
      /^body: placeholders can stand in JSON and in forms only/,
    ],
    ['a body of a GET', { ...call, method: 'GET', body: '{}' }, /^body: a GET has none/],
    ['a header that is not ours', { ...call, headers: ['Host: x'] }, /^headers: host is not for you/],
    ['a header twice', { ...call, headers: ['a: 1', 'A: 2'] }, /^headers: a is there twice/],
    ['no header’s name', { ...call, headers: ['a b: 1'] }, /^headers\.0: expected a header, such as/],
    ['a header with a line end', { ...call, headers: ['a: 1\r\nb: 2'] }, /^headers\.0: expected a header/],
    [
      'two credentials',
      { ...call, user: 'u', headers: ['Authorization: Bearer x'] },
      /^headers: user and password are sent as authorization already/,
    ],
    ['placeholders for Astra', { url: 'http://h/{session}' }, /^url: only type: http has placeholders/],
    ['a body for Astra', { url: 'http://h', body: '{}' }, /^body: only type: http has it/],
    ['headers for Astra', { url: 'http://h', headers: ['a: b'] }, /^headers: only type: http has it/],
    ['statuses for Astra', { url: 'http://h', success: [204] }, /^success: only type: http has it/],
    ['another type', { ...call, type: 'flussonic' }, /^type: .*expected astra, mediamtx, http/],
    ['a failure for a success', { ...call, success: [500] }, /^success\.0: /],
  ])('is refused with %s', (_, control, expected) => {
    expect(problems(control)).toEqual([expect.stringMatching(expected)]);
  });

  it('is shown without its secrets, and with its placeholders', () => {
    const control = {
      type: 'http',
      url: 'http://me:hunter2@h/{session}/{user}?key=hunter2',
      headers: ['X-Key: hunter2'],
      body: '{"key": "hunter2"}',
    };
    const shown = JSON.stringify(maskConfig(configSchema.parse({ edges: { e: { control } } })));
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('@h/{session}/{user}?key=***');
    expect(shown).toContain('"headers":["***"]');
  });

  it('says nothing of what it was given where a secret is wrong', () => {
    const wrong = { ...call, body: 'hunter2', headers: ['hunter2'] };
    expect(problems(wrong).join()).not.toContain('hunter2');
    expect(problems({ ...call, body: 'hunter2 {session}' }).join()).not.toContain('hunter2');
  });
});

describe('a template', () => {
  it('is its text and its placeholders in their order', () => {
    expect(parseTemplate('/a/{session}?u={user}')).toEqual([
      '/a/',
      { placeholder: 'session' },
      '?u=',
      { placeholder: 'user' },
    ]);
    expect(parseTemplate('')).toEqual([]);
    expect(parseTemplate('{"a": {}, "b": { x }}')).toEqual(['{"a": {}, "b": { x }}']);
  });

  it('of any text is the same text again, or refused', () => {
    const word = fc.constantFrom(...PLACEHOLDERS, 'other').map((one) => `{${one}}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string())), (pieces) => {
        const text = pieces.join('');
        try {
          const parts = parseTemplate(text);
          expect(parts.map((one) => (typeof one === 'string' ? one : `{${one.placeholder}}`)).join('')).toBe(
            text,
          );
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect(text).toMatch(/\{[a-z][\w-]*\}/i);
        }
      }),
    );
  });

  it.each([
    ['application/json', 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['application/vnd.api+json', 'json'],
    ['Application/X-WWW-Form-Urlencoded', 'form'],
    ['text/json-ish', 'other'],
    ['', 'other'],
  ])('in a body of %s is escaped as %s', (type, form) => {
    expect(bodyForm(type)).toBe(form);
  });
});
