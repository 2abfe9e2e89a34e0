import { readFileSync, readdirSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { Deployment } from 'kubernetes-models/apps/v1';
import type { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { Service } from 'kubernetes-models/v1';
import type { Manifest } from '../support/kubernetes-schema.js';

const FOLDER = new URL('../../examples/kubernetes/', import.meta.url);

export const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

/** The files that kubectl applies. */
export const FILES = readdirSync(FOLDER).filter(name => name.endsWith('.yaml'));

/** @throws for a file that is no YAML, or that has a key twice */
export function parse(text: string): Manifest {
  const documents = parseAllDocuments(text);
  if (!('length' in documents) || documents.length !== 1)
    throw new Error('One document a file is what the tests read.');
  const [document] = documents;
  const [problem] = [...document!.errors, ...document!.warnings];
  if (problem) throw problem;
  return document!.toJS() as Manifest;
}

function manifest<T extends Manifest>(name: string): Required<T> {
  return parse(read(`${name}.yaml`)) as Required<T>;
}

const deployment = manifest<Deployment>('deployment');
const template = deployment.spec.template;
const pod = template.spec!;

/** The parts of the manifests that the tests ask about. */
export const kubernetes = {
  deployment,
  pod,
  labels: template.metadata!.labels!,
  container: pod.containers[0]!,
  service: manifest<Service>('service'),
  budget: manifest<PodDisruptionBudget>('poddisruptionbudget'),
  autoscaler: manifest<HorizontalPodAutoscaler>('horizontalpodautoscaler'),
};
