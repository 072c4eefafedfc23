import type { Command } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION } from '../options.js';
import type { TemplatesRun } from './run-templates.js';

const PULL_EXAMPLES = `
Examples:
  carillon templates pull ./templates --dry-run
  carillon templates pull ./templates

Writes <folder>/<key>/<channel>.<locale>/template.json, and a file for each text that has several lines, such as
html.hbs. Changed files are overwritten; files of templates that Carillon does not have are left.`;

const PUSH_EXAMPLES = `
Examples:
  carillon templates push ./templates --dry-run      # shows the differences
  carillon templates push ./templates                # creates templates, and new versions of those that differ

Never deletes: templates that are not in the folder are only named. It ends with 5 if some were refused.`;

/** `templates pull|push`: the tenant's templates as files. */
export function addTemplatesCommands(program: Command): void {
  const templates = program.command('templates').description("keep a tenant's templates as files");
  withFolder(templates.command('pull').description('write the templates of the tenant into a folder'))
    .addHelpText('after', PULL_EXAMPLES)
    .action(async (folder: string, options: TemplatesRun) =>
      (await import('./run-templates.js')).pullTemplates(folder, options),
    );
  withFolder(templates.command('push').description('create and change templates from a folder'))
    .addHelpText('after', PUSH_EXAMPLES)
    .action(async (folder: string, options: TemplatesRun) =>
      (await import('./run-templates.js')).pushTemplates(folder, options),
    );
}

function withFolder(command: Command): Command {
  return command
    .argument('<folder>', 'a folder for templates only')
    .option('--dry-run', 'only show the differences')
    .addOption(URL_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION);
}
