import type * as z from 'zod';

/** What is wrong with one field of an input. `path` is dotted, such as `payload.timeMax`; empty for the whole. */
export interface FieldError {
  path: string;
  message: string;
}

/** A schema's verdict as plain values that name each field. A union is reported as its nearest miss. */
export function listFieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, 20).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: joinPath([...issue.path, key]),
        message: 'is not a known field',
      }));
    }
    return [{ path: joinPath(issue.path), message: issue.message }];
  });
}

/** The same in one line. */
export function summarizeFieldErrors(errors: readonly FieldError[]): string {
  return errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

function joinPath(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}
