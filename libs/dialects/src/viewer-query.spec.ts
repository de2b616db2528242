import { withToken } from './viewer-query.js';

describe('a credential that came by another way than the query', () => {
  it.each([
    ['is all that there is', '', 'token=a%2Fb'],
    ['stands behind what there is', 'x=1&&y', 'x=1&&y&token=a%2Fb'],
    ['leaves the viewer’s own alone', 'x=1&token=mine&y', 'x=1&token=mine&y'],
    ['stands in place of an empty one', 'token=', 'token=a%2Fb'],
    ['stands in place of one without a value', 'x=1&token&y=2', 'x=1&y=2&token=a%2Fb'],
    ['stands in place of several empty ones', 'token=&x=1&token&token=', 'x=1&token=a%2Fb'],
    ['leaves the viewer’s own behind an empty one alone', 'token=&x=1&token=mine', 'x=1&token=mine'],
    ['is not hidden by a name that only begins like it', 'tokens=1', 'tokens=1&token=a%2Fb'],
  ])('%s', (_, query, expected) => {
    expect(withToken(query, 'a/b')).toBe(expected);
  });

  it.each(['', 'x=1', 'token=', 'token=mine'])('where there is none, %j stays as it is', (query) => {
    expect(withToken(query, '')).toBe(query);
  });
});
