import { contractViolations } from './lua-contract.js';
import { projectFiles } from './project-files.js';

const scripts = projectFiles(['libs', 'apps'], '.lua');

it('every script has a contract, and its name ends in its number of KEYS', () => {
  expect(scripts.length).toBeGreaterThan(0);
  expect(scripts.flatMap(({ path, text }) => contractViolations(path, text))).toEqual([]);
});

describe('each rule can fail', () => {
  const good =
    '--[[\n  Reads it.\n\n  KEYS  1 usher:a  2 usher:b\n  ARGV  1 which\n  Returns the value.\n]]\n';
  const code = "return redis.call('HGET', KEYS[2], ARGV[1])\n";

  it.each([
    ['no contract', 'a-2.lua', code, 'a contract stands on top'],
    ['no number', 'a.lua', good + code, 'ends in its number of KEYS'],
    ['another number', 'a-3.lua', good + code, 'says 3 KEYS, its contract names 1, 2'],
    ['a key beyond', 'a-2.lua', `${good}return KEYS[3]\n`, 'it uses KEYS[3]'],
    ['ARGV untold', 'a-2.lua', good.replace('ARGV  1 which\n', '') + code, 'ARGV are not described'],
    ['no result told', 'a-2.lua', good.replace('Returns', 'Gives') + code, 'what it returns'],
  ])('on %s', (_, path, text, sentence) => {
    expect(contractViolations(path, text).join('\n')).toContain(sentence);
  });

  it('and not on what is right', () => {
    expect(contractViolations('a-2.lua', good + code)).toEqual([]);
    expect(contractViolations('shared-parts.lua', '-- What two scripts share.\n')).toEqual([]);
  });
});
