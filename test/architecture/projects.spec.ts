import { readdirSync } from 'node:fs';
import { isThere, projectFolder, readProjectFile } from './project-files.js';

interface Project {
  readonly type: string;
  readonly root: string;
  readonly entryFile: string;
  readonly sourceRoot: string;
}
const { root, sourceRoot, projects } = JSON.parse(readProjectFile('nest-cli.json')) as {
  readonly root: string;
  readonly sourceRoot: string;
  readonly projects: Readonly<Record<string, Project>>;
};

describe('nest-cli.json', () => {
  it.each(Object.entries(projects))('names where %s begins', (_, project) => {
    expect(project.sourceRoot).toBe(`${project.root}/src`);
    expect(isThere(`${project.sourceRoot}/${project.entryFile}.ts`)).toBe(true);
  });

  it('begins with what starts all of them', () => {
    expect({ root, sourceRoot }).toEqual({ root: 'apps/usher', sourceRoot: 'apps/usher/src' });
    expect(projects['usher']?.entryFile).toBe('main');
  });

  it.each(['apps', 'libs'])('knows every part of %s', (folder) => {
    const parts = readdirSync(projectFolder(folder)).filter((name) => isThere(`${folder}/${name}/src`));
    const known = Object.values(projects)
      .map((project) => project.root)
      .filter((place) => place.startsWith(`${folder}/`));
    expect(known.sort()).toEqual(parts.map((name) => `${folder}/${name}`).sort());
  });
});
