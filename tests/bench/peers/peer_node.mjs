// Node.js, careful and tuned: streaming inflate in large chunks, lines found in the bytes, one
// JSON.parse a line, model ids classified once.
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

const GEOGRAPHIES = new Set(['us', 'us-gov', 'eu', 'apac', 'jp', 'au', 'ca', 'in', 'sa', 'global']);
const VENDORS = new Set(('ai21 amazon anthropic cohere deepseek google luma meta minimax mistral ' +
    'moonshot moonshotai nvidia openai qwen stability twelvelabs writer xai zai').split(' '));
const IN_REGION = /^(provisioned-model(-v2)?|custom-model(-deployment)?|imported-model|endpoint)\//;
const CHUNK = 256 * 1024;

/* [type or null, base model]; null: by evidence */
function geographic(name, fromArn) {
    const labels = name.split('.');
    const first = labels[0];
    if (labels.length < 2) return null;
    if (!GEOGRAPHIES.has(first)) {
        if (VENDORS.has(first)) return null;
        if (!VENDORS.has(labels[1]) && !(fromArn && labels.length > 2)) return null;
    }
    return [first === 'global' ? 'GlobalCrossRegion' : 'CrossRegion',
        name.slice(first.length + 1)];
}

function classify(modelId) {
    if (modelId.startsWith('arn:')) {
        const resource = modelId.split(':').slice(5).join(':');
        if (resource.startsWith('foundation-model/')) return ['InRegion', resource.slice(17)];
        if (resource.startsWith('inference-profile/')) {
            const name = resource.slice(18);
            return geographic(name, true) ?? [null, name];
        }
        return [IN_REGION.test(resource) ? 'InRegion' : null, resource];
    }
    if (modelId.includes('.')) return geographic(modelId, false) ?? ['InRegion', modelId];
    return [null, modelId];
}

const classified = new Map();
const cells = new Map();

function add(line) {
    let record;
    try {
        record = JSON.parse(line);
    } catch {
        return;
    }
    if (record?.schemaType !== 'ModelInvocationLog') return;
    const { modelId, region, inferenceRegion, input, output } = record;
    let model = classified.get(modelId);
    if (model === undefined) {
        model = classify(modelId);
        classified.set(modelId, model);
    }
    const type = model[0] ??
        (inferenceRegion && inferenceRegion !== region ? 'CrossRegion' : 'Unknown');
    const where = inferenceRegion || (type === 'InRegion' ? region : 'unknown');
    const key = `${record.timestamp.slice(0, 16)}\t${model[1]}\t${type}\t${region}\t${where}`;
    let cell = cells.get(key);
    if (cell === undefined) {
        cell = [0, 0, 0, 0, 0];
        cells.set(key, cell);
    }
    cell[0] += 1;
    cell[1] += input?.inputTokenCount ?? 0;
    cell[2] += output?.outputTokenCount ?? 0;
    cell[3] += input?.cacheReadInputTokenCount ?? 0;
    cell[4] += input?.cacheWriteInputTokenCount ?? 0;
}

for (const path of process.argv.slice(2)) {
    let parts = []; // the beginning of a line that goes on in the next chunk
    const inflated = createReadStream(path, { highWaterMark: CHUNK })
        .pipe(createGunzip({ chunkSize: CHUNK }));
    for await (const chunk of inflated) {
        let from = 0;
        let end;
        while ((end = chunk.indexOf(10, from)) >= 0) {
            if (parts.length) {
                parts.push(chunk.subarray(from, end));
                add(Buffer.concat(parts).toString('utf8'));
                parts = [];
            } else if (end > from) {
                add(chunk.utf8Slice(from, end));
            }
            from = end + 1;
        }
        if (from < chunk.length) parts.push(chunk.subarray(from));
    }
    if (parts.length) add(Buffer.concat(parts).toString('utf8'));
}

const lines = [];
for (const [key, cell] of cells) lines.push(`${key}\t${cell.join('\t')}`);
lines.sort();
process.stdout.write(lines.join('\n') + '\n');
