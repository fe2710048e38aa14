"""What the Python, DuckDB and ClickHouse peers do with a model id; once for each distinct one."""

GEOGRAPHIES = {"us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "sa", "global"}
VENDORS = set(
    "ai21 amazon anthropic cohere deepseek google luma meta minimax mistral moonshot moonshotai "
    "nvidia openai qwen stability twelvelabs writer xai zai".split())
IN_REGION = (
    "provisioned-model/", "provisioned-model-v2/", "custom-model/", "custom-model-deployment/",
    "imported-model/", "endpoint/")


def geographic(name, from_arn):
    """(type, base model) of a profile id, or None where it is none."""
    labels = name.split(".")
    first = labels[0]
    if len(labels) < 2 or not (
            first in GEOGRAPHIES or first not in VENDORS and (
                labels[1] in VENDORS or from_arn and len(labels) > 2)):
        return None
    return "GlobalCrossRegion" if first == "global" else "CrossRegion", name[len(first) + 1:]


def classify(model_id, region, inference_region):
    """(model, type, source Region, inference Region)."""
    evidence = "Unknown"
    if inference_region and inference_region != region:
        evidence = "CrossRegion"
    kind, model = evidence, model_id
    if model_id.startswith("arn:"):
        model = model_id.split(":", 5)[5]
        if model.startswith("foundation-model/"):
            kind, model = "InRegion", model[len("foundation-model/"):]
        elif model.startswith("inference-profile/"):
            model = model[len("inference-profile/"):]
            kind, model = geographic(model, True) or (kind, model)
        elif model.startswith(IN_REGION):
            kind = "InRegion"
    elif "." in model_id:
        kind, model = geographic(model_id, False) or ("InRegion", model_id)
    return model, kind, region, inference_region or (region if kind == "InRegion" else "unknown")


def print_groups(groups):
    """groups: (minute, modelId, region, inferenceRegion or None, count and four sums) rows."""
    cells = {}
    for minute, model_id, region, inference_region, *sums in groups:
        key = (minute,) + classify(model_id, region, inference_region)
        cell = cells.setdefault(key, [0] * 5)
        for i, value in enumerate(sums):
            cell[i] += int(value)
    lines = ["\t".join(key + tuple(map(str, cell))) for key, cell in cells.items()]
    print("\n".join(sorted(lines)))
