// Carries out a Dockerfile without a Docker engine: each stage is a folder, COPY copies, RUN runs in a shell.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';

interface Step {
  instruction: string;
  text: string;
}

export interface Stage {
  name: string | undefined;
  steps: readonly Step[];
}

/** Stages of a Dockerfile. ARGs before the first stage are replaced in FROM lines only, as Docker does. */
export function parseDockerfile(text: string): { args: Record<string, string>; stages: Stage[] } {
  const lines = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const args: Record<string, string> = {};
  const stages: { name: string | undefined; steps: Step[] }[] = [];
  for (const line of lines) {
    const [, instruction, rest] = /^(\w+)\s+(.*)$/.exec(line)!;
    const stage = stages.at(-1);
    if (instruction === 'FROM') stages.push({ name: / AS (\w+)$/.exec(rest!)?.[1], steps: [] });
    else if (stage) stage.steps.push({ instruction: instruction!, text: rest! });
    else {
      const [name, value] = rest!.split(/=(.*)/);
      args[name!] = value!;
    }
  }
  return { args, stages };
}

/** The values of an instruction in a stage, in order. */
export function valuesOf(stage: Stage, instruction: string): string[] {
  return stage.steps.filter((step) => step.instruction === instruction).map(({ text }) => text);
}

/** All `NAME=value` of an instruction such as ENV or LABEL. */
export function pairsOf(stage: Stage, instruction: string): Record<string, string> {
  const pairs = valuesOf(stage, instruction).flatMap((text) => [...text.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)]);
  return Object.fromEntries(pairs.map(([, name, value]) => [name!, value!.replace(/^"|"$/g, '')]));
}

/**
 * The files of `root` that .dockerignore leaves. Knows the patterns that ours uses: `*`, `!path`, `path` and `**`/name; the
 * last one that matches decides.
 */
export function buildContext(root: string, ignore: string): string[] {
  const patterns = ignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const kept = (path: string): boolean =>
    patterns.reduce((keep, line) => {
      const pattern = line.replace('!', '');
      const matches = pattern === '*' || matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`);
      return matches ? line.startsWith('!') : keep;
    }, true);
  // Folders that no pattern includes are not read: node_modules has many files.
  const tops = new Set(patterns.filter((line) => line.startsWith('!')).map((line) => line.slice(1).split('/')[0]!));
  return readdirSync(root, { withFileTypes: true })
    .filter(({ name }) => tops.has(name))
    .flatMap((entry) =>
      entry.isDirectory()
        ? readdirSync(join(root, entry.name), { recursive: true, withFileTypes: true })
            .filter((file) => file.isFile())
            .map((file) => join(file.parentPath, file.name).slice(root.length + 1))
        : [entry.name],
    )
    .filter(kept);
}

export interface StageFolders {
  /** The folder of the build context. */
  context: string;
  /** The root folders of the stages, by name. */
  stages: Readonly<Record<string, string>>;
  /** The root folder of this stage. */
  root: string;
  environment: Readonly<Record<string, string>>;
}

/** Carries out the steps of a stage that change files, in its folder. Throws an error with the output of a RUN that fails. */
export function runStage(stage: Stage, folders: StageFolders): void {
  let workdir = '/';
  for (const { instruction, text } of stage.steps) {
    if (instruction === 'WORKDIR') {
      workdir = text;
      mkdirSync(join(folders.root, workdir), { recursive: true });
    } else if (instruction === 'COPY') copy(text, join(folders.root, workdir), folders);
    else if (instruction === 'RUN') runCommand(text, join(folders.root, workdir), folders);
  }
}

function copy(text: string, workdir: string, { context, stages }: StageFolders): void {
  const from = /^--from=(\w+) /.exec(text);
  const paths = text.replace(/^--from=\w+ /, '').split(' ');
  const target = paths.pop()!;
  const source = from ? stages[from[1]!]! : context;
  for (const path of paths) {
    // A file into a folder keeps its name; a folder is copied as its contents.
    const named = target.endsWith('/') && path !== '.' ? join(target, path.split('/').at(-1)!) : target;
    const into = join(workdir, named);
    mkdirSync(dirname(into), { recursive: true });
    cpSync(join(source, path), into, { recursive: true, verbatimSymlinks: true });
  }
}

function runCommand(text: string, workdir: string, { root, environment }: StageFolders): void {
  // Absolute paths are those of the stage. Its user `node` has the number 1000.
  const command = text.replaceAll(' /', ` ${root}/`).replaceAll('node:node', '1000:1000');
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', command], {
    cwd: workdir,
    env: environment,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`RUN ${command} ended with ${status}:\n${stdout}\n${stderr}`);
}

/** The program and arguments of CMD or of HEALTHCHECK … CMD, which we write as JSON. */
export function commandOf(stage: Stage, instruction: 'CMD' | 'HEALTHCHECK'): string[] {
  return JSON.parse(/\[.*\]$/.exec(valuesOf(stage, instruction).at(-1)!)![0]) as string[];
}
