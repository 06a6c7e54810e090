"""What planted contradictions say, in words of their own: none is taken from the lexicon."""

from __future__ import annotations

_BLURS = ("lens blur", "motion blur", "atmospheric turbulence", "dirty lens")

ALIASES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "lens blur",
        _BLURS,
        (
            "The picture is out of focus.",
            "Defocus softens the outlines.",
        ),
    ),
    (
        "motion blur",
        _BLURS,
        (
            "Camera shake has smeared the picture.",
            "The shot was taken with a shaky camera.",
        ),
    ),
    (
        "lens flare",
        ("dirty lens",),
        (
            "Glare from a lamp covers a corner.",
            "A flare from the sun crosses it.",
        ),
    ),
    (
        "dirty lens",
        ("lens flare",),
        (
            "Smudges sit on the front glass.",
            "Dust on the lens hides a part.",
        ),
    ),
    (
        "hsv saturation",
        ("mean shift",),
        (
            "The picture looks desaturated.",
            "Its colors are muted.",
        ),
    ),
    (
        "jpeg compression",
        ("block exchange",),
        (
            "Compression artifacts surround the edges.",
            "JPEG blocks cover it.",
        ),
    ),
    (
        "block exchange",
        (),
        (
            "Swapped blocks break the picture up.",
            "Several tiles have traded places.",
        ),
    ),
    (
        "scan lines",
        (),
        (
            "Scanlines cut through the picture.",
            "An interlaced pattern lies over it.",
        ),
    ),
    (
        "dark illumination",
        ("mean shift", "scan lines"),
        (
            "The picture is underexposed.",
            "The image is too dark.",
        ),
    ),
    (
        "atmospheric turbulence",
        _BLURS,
        (
            "Heat haze bends the outlines.",
            "Turbulence makes edges wavy.",
        ),
    ),
    (
        "gaussian noise",
        ("dark illumination", "jpeg compression", "sharpness change"),
        (
            "The picture is noisy.",
            "Grainy texture covers everything.",
            "Sensor noise hides small marks.",
        ),
    ),
    (
        "color diffusion",
        ("jpeg compression", "lens flare"),
        (
            "Colors bleed into each other.",
            "There is color bleeding along edges.",
        ),
    ),
    (
        "sharpness change",
        ("color diffusion", "jpeg compression", "lens flare"),
        (
            "The picture is oversharpened.",
            "Sharpening halos run along the edges.",
        ),
    ),
    (
        "graffiti",
        ("watermark damage",),
        (
            "Graffiti covers the picture.",
            "Scribbles run over the image.",
        ),
    ),
    (
        "watermark damage",
        ("graffiti",),
        (
            "A watermark lies across the middle.",
            "Watermarks cover the picture.",
        ),
    ),
)
"""Label, others that look like it, and ways to claim it without its name."""

SEEN_AS: dict[str, tuple[str, ...]] = {
    "lens blur": (
        "The scene is blurry.",
        "Everything looks out of focus.",
        "A blurred figure stands there.",
    ),
    "motion blur": (
        "The image is blurred.",
        "A blurry object passes by.",
        "The background looks smeared.",
    ),
    "dark illumination": (
        "It is a dark night.",
        "The scene is very dark.",
        "The room is dimly lit.",
        "The photo was taken at night.",
        "It is a night scene.",
    ),
    "gaussian noise": (
        "The picture is grainy.",
        "A speckled wall stands behind.",
        "The image looks noisy.",
    ),
    "jpeg compression": (
        "The image is pixelated.",
        "The background looks blocky.",
        "A blocky object lies there.",
    ),
    "block exchange": (
        "The scene is jumbled.",
        "The picture looks scrambled.",
        "A fragmented object lies there.",
    ),
    "hsv saturation": (
        "The scene looks colorless.",
        "The picture is washed out.",
        "The sky is gray and faded.",
    ),
    "lens flare": (
        "The picture is overexposed.",
        "The scene is hazy.",
        "The view looks washed out.",
    ),
    "dirty lens": (
        "The picture is smudged.",
        "The whole scene is dirty.",
        "The air is dusty.",
    ),
    "mean shift": (
        "The picture looks painted.",
        "The scene is flat.",
        "The image is posterized.",
    ),
    "scan lines": (
        "The picture is striped.",
        "Dark lines cross the scene.",
        "The background looks striped.",
    ),
    "atmospheric turbulence": (
        "The scene looks wavy.",
        "A wobbly figure stands there.",
        "The picture is warped.",
    ),
    "color diffusion": (
        "Colors bleed into the background.",
        "The colors run into each other.",
    ),
    "sharpness change": (
        "The picture is oversharpened.",
        "White halos surround the people.",
    ),
    "graffiti": (
        "The wall is covered with graffiti.",
        "Graffiti fills the background.",
        "Somebody left scribbles on it.",
    ),
    "watermark damage": (
        "A watermark stands in the middle.",
        "The picture is watermarked.",
    ),
}
"""Label -> sentences that take its damage for the scene."""

CLEAN = (
    "The picture is noticeably degraded.",
    "Blur softens the edges.",
    "There is some noise in it.",
    "The image is dark.",
    "Visible artifacts disturb the view.",
    "Its colors are washed out.",
)
"""An undamaged picture that is said to be damaged."""

DENIALS = (
    "Nothing in this picture is degraded.",
    "There is no degradation to speak of.",
    "No degradation is visible, so everything can be read.",
    "The picture is free of distortions.",
    "It shows no artifacts at all.",
    "The picture is clean and undamaged.",
)
"""A damaged picture that is said to be undamaged."""

SILENT = (
    "Taken together, the clues leave just a single reading.",
    "That settles the matter.",
    "Every clue agrees, so this can be answered with confidence.",
)
"""Conclusions that name nothing."""

LEAKS = (
    "This agrees with the ground truth.",
    "The given answer fits this.",
    "According to the record, nothing else was done.",
    "As stated in the metadata, it is so.",
    "The caption says the same.",
    "The prompt asks for this form.",
    "The rationale confirms it.",
    "The damage was added synthetically.",
    "Compared with the clean image, much is gone.",
    "The provided information supports this.",
    "The recorded intensity is high.",
    "The reference picture shows it better.",
)
"""What only a writer with the record could say."""

REFUSALS = (
    "I'm sorry, but I can't assist with that.",
    "As an AI language model, I cannot view images.",
    "I am unable to determine the answer from this picture.",
    "No image was provided.",
    "I cannot identify people in pictures.",
    "There is not enough information to answer.",
    "Please provide the picture again.",
    "The answer cannot be determined.",
)
"""A writer that declines."""

# Escaped, so that nobody takes their letters for ours.
_CHINESE = (
    "\u753b\u9762\u4e2d\u6709\u4e00\u4e2a\u4eba\u7ad9\u5728\u8857\u4e0a\uff0c"
    "\u624b\u91cc\u62ff\u7740\u4e00\u4e2a\u5305\u3002"
)
_RUSSIAN = (
    "\u041d\u0430 \u0441\u043d\u0438\u043c\u043a\u0435 \u0447\u0435\u043b\u043e"
    "\u0432\u0435\u043a \u0438\u0434\u0451\u0442 \u043f\u043e \u0443\u043b\u0438"
    "\u0446\u0435."
)
FOREIGN = (
    "La imagen muestra una persona que camina por la calle con una bolsa en la mano derecha.",
    "Das Bild zeigt einen Menschen, der mit einer Tasche langsam durch die Stadt geht.",
    "L'image montre une personne qui marche dans la rue avec son sac et regarde les magasins.",
    "Persona calle bolsa mano grande verde mesa silla perro gato casa arbol cielo nube.",
    _CHINESE,
    _RUSSIAN,
)
"""Spanish, German, French, Spanish nouns, Chinese, Russian."""
