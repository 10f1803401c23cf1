"""How well a colour is seen on others: the contrast of the Web Content Accessibility Guidelines."""


def channels(colour):
    """Red, green, blue and alpha, each of 0 to 1, of a computed colour."""
    numbers = [float(part) for part in colour.partition("(")[2].rstrip(")").replace("/", ",").split(",")]
    return [*(value / 255 for value in numbers[:3]), numbers[3] if len(numbers) > 3 else 1.0]


def blend(behind):
    """The colour that is seen where layers, the innermost first, lie over white."""
    seen = [1.0, 1.0, 1.0]
    for layer in reversed(behind):
        *colour, alpha = channels(layer)
        seen = [alpha * new + (1 - alpha) * old for new, old in zip(colour, seen, strict=True)]
    return seen


def luminance(colour):
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text, colour, behind):
    """The text, its colour, and WCAG's ratio of contrast to what is behind it."""
    ground = blend(behind)
    *ink, alpha = channels(colour)
    seen = [alpha * new + (1 - alpha) * old for new, old in zip(ink, ground, strict=True)]
    brighter, darker = sorted((luminance(seen), luminance(ground)), reverse=True)
    return text, colour, (brighter + 0.05) / (darker + 0.05)
