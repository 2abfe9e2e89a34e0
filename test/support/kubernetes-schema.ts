import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

interface Model {
  /** @throws for what the schema refuses */
  validate(): void;
}

/**
 * What Kubernetes itself would refuse in a manifest. The schemas of `kubernetes-models`, made from Kubernetes' own
 * OpenAPI, know types and what is required; a field that does not exist they let pass, as OpenAPI does, and the server
 * drops it silently. The types of the same package find those.
 */
export async function schemaErrors(manifest: Manifest): Promise<string[]> {
  const models = (await import(`kubernetes-models/${manifest.apiVersion}`)) as Record<
    string,
    new (data: unknown) => Model
  >;
  const Model = models[manifest.kind];
  if (!Model) return [`${manifest.apiVersion} has no ${manifest.kind}`];
  const errors = typeErrors(manifest);
  try {
    new Model(manifest).validate();
  } catch (error) {
    errors.push(error instanceof Error ? error.message : String(error));
  }
  return errors;
}

const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
};

/** Where the manifest is compiled: a file that there is not, from where packages are found. */
const FILE = fileURLToPath(new URL('manifest.ts', import.meta.url));

/** Everything but the manifest, which stays the same. */
const sources = new Map<string, ts.SourceFile | undefined>();

/** Compiles the manifest as a literal of its type: of a literal, the compiler allows no field that it does not know. */
function typeErrors(manifest: Manifest): string[] {
  const type = `I${manifest.kind}`;
  const text = `import type { ${type} } from 'kubernetes-models/${manifest.apiVersion}';
    export const manifest: ${type} = ${JSON.stringify(manifest, null, 2)};`;
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists } = host;
  host.fileExists = name => name === FILE || fileExists(name);
  host.getSourceFile = (name, language) => {
    if (name === FILE) return ts.createSourceFile(name, text, language);
    if (!sources.has(name)) sources.set(name, getSourceFile(name, language));
    return sources.get(name);
  };
  const program = ts.createProgram([FILE], OPTIONS, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
