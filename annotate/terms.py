"""The terms that claim damage, per label: data of the lexicon.

A term is *hard* where it speaks of damage whatever the context ("jpeg", "watermark"), and *soft*
where it may as well describe the scene ("dark", "dust"): soft terms count in a text about the
damage, or where they are said of the picture itself. A term written under one label may be
legitimately used for others (``also``); a term under no label names what several of them do to a
picture.

The labels are Robust-R1's (arXiv 2512.17532); the words are ours, tuned on
``tests/data/claims.jsonl``. Patterns are matched on what ``lexicon.plain`` returns.
"""

from __future__ import annotations

from typing import NamedTuple

LABELS = (
    "lens blur|lens flare|motion blur|dirty lens|hsv saturation|jpeg compression|block exchange"
    "|mean shift|scan lines|dark illumination|atmospheric turbulence|gaussian noise"
    "|color diffusion|sharpness change|graffiti|watermark damage"
).split("|")

ANY = "any degradation"
"""Stands for every label: what is said of degraded pictures in general."""


class Term(NamedTuple):
    """A pattern on plain text, the label it names, and others for which it may be said.

    Attributes:
        pattern: Regular expression without capturing groups, on what ``plain`` returns.
        label: The label it speaks of; "" where it names an effect of several.
        also: Labels whose effect it may describe as well, or ``ANY``.
        hard: Whether it claims damage in any context.
    """

    pattern: str
    label: str
    also: frozenset[str]
    hard: bool

    @property
    def labels(self) -> frozenset[str]:
        """Labels of which one must be recorded for the term to be true."""
        return self.also | {self.label} if self.label else self.also


PICTURE = "(?:image|picture|photo|photograph|snapshot|shot|frame)s?"

# Before a noun these describe a thing, not the picture: "the dusty road".
_LOOK = (
    f"(?! (?!{PICTURE}\\b|(?:and|or|in|on|over|at|with|near|where|so|because|but|along|around"
    "|across|veil|light|look|appearance|film|patch|patches|areas?|regions?|spots?|texture|lens|glass)\\b)\\w)"
)

# label; labels for which its terms may be said as well; hard terms; soft terms
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    (
        "lens blur",
        "",
        "lens blur\\w*|defocus\\w*|focus blur\\w*|optical blur\\w*",
        "",
    ),
    (
        "lens blur",
        "motion blur|atmospheric turbulence|dirty lens",
        "",
        "out of focus|bokeh|unfocus+ed|(?:soft|missed|wrong|poor|lost) focus"
        "|lack of (?:sharp )?focus"
        "|(?:not|badly|wrongly|poorly) focused",
    ),
    (
        "motion blur",
        "",
        "motion blur\\w*|directional blur\\w*|linear blur\\w*|camera shake|shaken camera"
        "|motion (?:streak|smear|trail)\\w*",
        "shaky|movement of the camera|camera (?:movement|motion|moved|shook)"
        "|blur of motion|streaks of motion",
    ),
    (
        "motion blur",
        "lens flare|dirty lens|scan lines|graffiti|watermark damage|color diffusion",
        "",
        "streak(?:s|ed|y|ing)?",
    ),
    (
        "lens flare",
        "",
        "lens flares?|flare (?:artifact|ghost|spot)s?|sun flares?|veiling glare",
        "flares?|glare|starbursts?|ghost (?:image|reflection|disc|disk)s?|halation",
    ),
    (
        "dirty lens",
        "",
        "dirty (?:camera )?lens|lens (?:dirt|dust|smudge|grime|contamination)s?"
        "|(?:smudged|smeared|grimy|dusty|contaminated|stained|unclean|soiled) (?:camera )?lens"
        "|(?:dirt|dust|grime|smudges?|stains?|specks?|spots?|fingerprints?|drops?|droplets?"
        "|contamination) on (?:the|a) (?:camera )?(?:lens|front glass)",
        "smudg(?:e|es|ed|y|ing)|grime|fingerprints?|dust"
        f"|dirt(?! (?:road|track|path|bike|field|floor|court|lot|hill|mound))"
        f"|(?:dirty|dusty){_LOOK}",
    ),
    (
        "dirty lens",
        "color diffusion|watermark damage|graffiti|lens flare|hsv saturation",
        "",
        "stain(?:s|ed|ing)?|blotch(?:es|y)?",
    ),
    (
        "hsv saturation",
        "",
        "hsv saturation|desaturat\\w+|(?:loss of|lost|reduced|lower|low|weak|weakened|lowered"
        "|drained|diminished|altered|decreased|missing) (?:color )?saturation"
        "|saturation (?:loss|change|drop)s?",
        "colorless\\w*|drained of colors?|loss of colors?"
        "|colors? (?:\\w+ ){0,3}(?:drained|muted|pale|paler|dull"
        "|duller|grayish|grayscale|monochrome)|(?:muted|dull|dulled|drained|pale) colors?"
        "|almost monochrome|nearly gray|grayed|toward gray",
    ),
    (
        "hsv saturation",
        "lens flare|mean shift|color diffusion|dirty lens|sharpness change|atmospheric turbulence"
        "|dark illumination|jpeg compression|lens blur|motion blur|gaussian noise",
        "",
        "saturation|(?:washed out|faded|bleached) colors?"
        "|colors? (?:\\w+ ){0,3}(?:fade[sd]?|washed out|bleached)",
    ),
    (
        "",
        "hsv saturation|lens flare|mean shift|color diffusion|dirty lens|sharpness change"
        "|atmospheric turbulence|dark illumination|jpeg compression|lens blur|motion blur"
        "|gaussian noise",
        "",
        "saturated|washed out|wash(?:es|ing)? out|faded|fading|bleached",
    ),
    (
        "jpeg compression",
        "",
        "jpe?g\\w*(?: compression(?: artifacts?| noise| blocks?)?)?"
        "|compression (?:artifact|block|damage|error|noise)\\w*"
        "|(?:lossy|image|picture) compression"
        "|blocking artifacts?|macroblock\\w*|mosquito noise|(?:over|re) ?compressed",
        "compression|compressed|quanti[sz](?:ation|ed|es)",
    ),
    (
        "jpeg compression",
        "block exchange|mean shift",
        "pixelat\\w+|pixelization",
        "block(?:y|iness)|blocky squares|8 ?x ?8|mosaic like",
    ),
    (
        "jpeg compression",
        "sharpness change|lens flare|scan lines|mean shift",
        "",
        "ringing",
    ),
    (
        "block exchange",
        "",
        "block (?:exchange|swap|change|shuffl|displacement)\\w*"
        "|(?:exchanged|swapped|misplaced|shuffled|transposed|displaced|scrambled|exchanging"
        "|swapping) (?:\\w+ )?(?:blocks|tiles|patches)"
        "|(?:blocks|tiles|patches|squares|regions|cells)"
        " (?:\\w+ ){0,3}(?:exchanged|swapped|misplaced|shuffled"
        "|transposed|out of place|trade[sd]? places|change[sd]? places|swap places)",
        "jumbled|scrambled|shuffled",
    ),
    (
        "mean shift",
        "",
        "mean shift\\w*|(?:brightness|tonal|luminance|gray level) (?:shift|offset)(?:s|ed)?",
        "cartoon(?:ish| like)|painterly|(?:looks?|appears?|seems?|as if|as though|hand) painted"
        "|painted look|paint like|flattened|flattens|flattening|plastic look|waxy|flat patches",
    ),
    (
        "mean shift",
        "jpeg compression|hsv saturation",
        "",
        "posteri[sz]\\w+|over ?smooth\\w*",
    ),
    (
        "",
        "lens flare|sharpness change|mean shift|hsv saturation",
        "",
        "over ?expos\\w+|brightened|too bright|blown out",
    ),
    (
        "scan lines",
        "",
        "scan ?lin(?:e|es|ing)|raster lines?|interlac\\w+|display lines",
        "(?:dark|black|bright|thin|regular|horizontal) (?:horizontal |thin |dark |black )?(?:lines"
        "|bands) (?:\\w+ ){0,2}(?:across|over|through|cross(?:es|ing)?|cut(?:ting|s)?)"
        "|horizontal (?:dark |black |thin |bright )?(?:lines|bands|banding)",
    ),
    (
        "scan lines",
        "jpeg compression|mean shift|dark illumination|gaussian noise",
        "",
        "banding",
    ),
    (
        "dark illumination",
        "",
        "dark illumination",
        "low light|dim light(?:ing)?|dimly lit|poor(?:ly)? (?:lit|lighting|light|illuminat\\w+)"
        "|light loss|(?:lack|loss|shortage) of light|lack of (?:lighting|illumination)"
        "|too little light"
        "|in(?:sufficient|adequate) (?:light|lighting|illumination)|badly lit|gloom|gloomy"
        "|(?:low|reduced|weak|dark) illumination|dark lighting|unlit",
    ),
    (
        "dark illumination",
        "mean shift",
        "under ?exposed|under ?exposure",
        "too dark|(?:very|so|quite|rather|extremely|overly|pretty|really|fairly) dark"
        "|(?:is|are|looks?|appears?|seems?|becomes?|turns?|was|were|grows?|gets?) (?:dark|dim)"
        f"|dark {PICTURE}|dark (?:scene|exposure|conditions|view)|lowered brightness"
        "|low brightness|darkly",
    ),
    (
        "dark illumination",
        "mean shift|dirty lens|scan lines|lens flare|graffiti|watermark damage|hsv saturation",
        "",
        "dark(?:ness|er)|dim(?:mer|ness)|murk\\w*",
    ),
    (
        "",
        "dark illumination|mean shift|dirty lens|scan lines|lens flare|graffiti|watermark damage"
        "|hsv saturation",
        "",
        "dark(?:en|ens|ened|ening)|dim(?:s|med|ming)",
    ),
    (
        "atmospheric turbulence",
        "",
        "atmospheric (?:turbulence|distortion|shimmer)|heat (?:haze|shimmer)|hot air"
        "|(?:air|image) turbulence|turbulent air",
        "turbulen\\w+|shimmer\\w*|wav(?:y|iness|ering)|wobbl\\w+|undulat\\w+",
    ),
    (
        "atmospheric turbulence",
        "jpeg compression|scan lines|sharpness change",
        "",
        "rippl(?:es|ed|e|ing)",
    ),
    (
        "atmospheric turbulence",
        "block exchange|motion blur|dirty lens",
        "",
        "warp(?:s|ed|ing)?",
    ),
    (
        "gaussian noise",
        "",
        "gaussian noise|(?:white|additive) noise",
        "",
    ),
    (
        "gaussian noise",
        "dark illumination|sharpness change",
        "(?:image|sensor|pixel|random|digital|shot|camera|color|iso) noise|noise grain"
        "|nois[ey] (?:pixels?|pattern|texture|speckles?)",
        "nois(?:e|y|iness)|grain(?:y|iness)|film grain|(?:heavy|fine|coarse|strong|visible|random)"
        " grain|grain (?:over|across|covers?|hides?|masks?|buries|breaks?)|tv static|static",
    ),
    (
        "gaussian noise",
        "dirty lens|dark illumination|jpeg compression|sharpness change",
        "",
        f"speckl(?:e|es|ing)|specks?|speckled{_LOOK}",
    ),
    (
        "color diffusion",
        "",
        "color (?:diffusion|bleed|bleeding|smear|smearing|spill)"
        "|chroma(?:tic)? (?:blur|bleed|bleeding|smear|smearing|diffusion|spread)\\w*"
        "|(?:colors?|hues?) (?:\\w+ ){0,3}(?:bleed|bled|bleeds|bleeding|diffus\\w+|spill\\w*)",
        "(?:colors?|hues?) (?:\\w+ ){0,3}(?:smear\\w*|spread\\w*|leak\\w*|run into)",
    ),
    (
        "color diffusion",
        "lens flare|sharpness change",
        "",
        "color(?:ed)? fring(?:es?|ing)",
    ),
    (
        "sharpness change",
        "",
        "sharpness change\\w*|over ?sharpen\\w*|sharpening (?:artifact|halo)s?"
        "|(?:change[ds]?|shift|altered"
        "|exaggerated) (?:of |in )?sharpness",
        "sharpening|sharpened|(?:harsh|exaggerated|overdone|etched) (?:edges|outlines|contours)",
    ),
    (
        "sharpness change",
        "jpeg compression|lens flare|color diffusion",
        "",
        "halos?|haloes",
    ),
    (
        "graffiti",
        "",
        f"graffiti (?:\\w+ )?(?:over|across|on) the {PICTURE}|graffiti (?:strokes?|overlay)",
        "graffiti|scribbl\\w+|scrawl\\w*|doodl\\w+|spray paint\\w*|sprayed (?:lines?|strokes?)"
        "|vandal\\w+|(?:paint|painted|drawn|pen|colored) strokes"
        "|strokes (?:of paint|drawn|painted)",
    ),
    (
        "watermark damage",
        "",
        "watermark\\w*(?: damage)?|inpaint\\w*",
        "(?:overlaid|overlay|semi transparent|translucent|stamped) (?:text|logo|lettering|mark)s?"
        "|(?:text|logo|lettering) (?:overlay|stamped|overlaid)|stock photo mark",
    ),
    # What several of them do to a picture.
    (
        "",
        "lens blur|motion blur|atmospheric turbulence|dirty lens|color diffusion"
        "|mean shift|jpeg compression|watermark damage|lens flare",
        "gaussian blur\\w*",
        "blur(?:s|red|ry|riness|ring)?|fuzz(?:y|iness)|ghosting|double (?:edges|contours)",
    ),
    (
        "",
        "lens flare|dirty lens|atmospheric turbulence|lens blur|mean shift|hsv saturation",
        "",
        f"haz(?:e|y|iness)|fog(?:ged)?|mist(?:iness)?|(?:foggy|misty){_LOOK}",
    ),
    (
        "",
        "graffiti|watermark damage",
        "",
        "(?:strokes|lettering|marks) (?:over|across) the",
    ),
    (
        "",
        ANY,
        f"(?:degraded|corrupted|distorted) {PICTURE}"
        "|(?:image|picture|photo) quality (?:is|looks|seems|was) (?:\\w+ )?(?:low|poor|bad)",
        "degrad(?:ed|ation|ations)|artifacts?|corrupt(?:ed|ion)|distort(?:s|ed|ion|ions)"
        "|(?:low|poor|bad|reduced) (?:image |picture )?quality|low resolution",
    ),
)


def _terms() -> tuple[Term, ...]:
    found = []
    for label, also, hard, soft in _TABLE:
        for patterns, is_hard in ((hard, True), (soft, False)):
            if patterns:
                also_labels = frozenset(also.split("|") if also else ())
                found.append(Term(patterns, label, also_labels, is_hard))
    return tuple(found)


TERMS = _terms()
