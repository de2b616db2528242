import { readFileSync } from 'node:fs';

/** The fenced blocks of a page in one language, in their order: what people copy is what is tested. */
export function blocksIn(page: string, language: string): string[] {
  const text = readFileSync(page, 'utf8');
  const blocks = text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)\\n\\1\`\`\`$`, 'gm'));
  return Array.from(blocks, ([, , block = '']) => block);
}
