"""Words by which the writer knows things, their properties and questions. American spelling."""

from __future__ import annotations

CELL_WORDS: dict[str, tuple[str, ...]] = {
    "upper left": ("upper left", "top left"),
    "upper middle": ("upper middle", "top center", "upper center", "top middle"),
    "upper right": ("upper right", "top right"),
    "middle left": ("middle left", "left center", "center left"),
    "center": ("center", "middle", "central part"),
    "middle right": ("middle right", "right center", "center right"),
    "lower left": ("lower left", "bottom left"),
    "lower middle": ("lower middle", "bottom center", "lower center", "bottom middle"),
    "lower right": ("lower right", "bottom right"),
}
"""Ways to name the cells of the 3x3 grid."""

SINGULARS = frozenset(
    """
    man woman boy girl child baby person guy lady kid toddler player batter pitcher catcher umpire
    surfer skier snowboarder skater skateboarder rider driver cyclist biker motorcyclist pedestrian
    passenger officer policeman soldier chef cook waiter vendor farmer worker bride groom couple
    family crowd audience team student teacher tourist runner athlete swimmer cowboy fisherman
    dog puppy cat kitten horse pony cow bull calf sheep lamb goat elephant zebra giraffe bear panda
    bird duck goose swan parrot pigeon seagull owl eagle chicken rooster peacock monkey lion tiger
    deer fish shark dolphin turtle butterfly bee insect animal herd flock
    car truck bus van taxi train tram locomotive motorcycle motorbike scooter moped bicycle bike
    tricycle boat ship ferry canoe kayak sailboat yacht raft airplane plane jet helicopter kite
    balloon tractor trailer wagon carriage cart ambulance engine wheel tire propeller sail
    skateboard snowboard surfboard ski sled frisbee ball racket racquet bat glove helmet net goal
    pole saddle rope leash collar harness parachute wave ramp
    table desk chair bench couch sofa armchair stool bed crib shelf bookshelf cabinet cupboard
    drawer dresser wardrobe mirror lamp curtain blanket pillow mattress rug carpet mat towel
    bathtub tub shower sink faucet toilet bidet counter countertop stove oven microwave toaster
    refrigerator fridge freezer dishwasher kettle blender pot pan skillet bowl plate dish tray cup
    mug glass bottle jar jug pitcher vase basket bucket box crate bag backpack suitcase luggage
    handbag purse wallet umbrella knife fork spoon spatula chopstick napkin tablecloth candle
    pizza sandwich burger hamburger hotdog bun bread toast bagel donut doughnut cake cupcake pie
    pastry cookie muffin pancake waffle egg omelet bacon sausage steak meat cheese salad soup pasta
    noodle rice broccoli carrot potato tomato onion pepper mushroom lettuce corn bean apple banana
    orange lemon lime grape strawberry cherry peach pear pineapple watermelon berry fruit vegetable
    meal snack dessert chocolate coffee tea milk juice beer wine soda water ice sauce ketchup
    hat cap shirt jacket coat sweater vest suit tie dress skirt shoe boot sandal sock scarf belt
    jersey uniform costume apron glasses sunglasses necklace bracelet ring wristwatch headphone
    hand face head arm leg foot hair beard mustache mouth nose eye ear tail wing horn trunk mane
    phone cellphone smartphone laptop computer keyboard monitor screen television tv remote
    controller camera tripod clock book newspaper magazine letter envelope map poster painting
    picture-frame pen pencil scissors toothbrush toothpaste comb hairdryer razor soap brush broom
    toy doll teddy robot statue sculpture fountain flag banner balloon-arch gift
    tree bush plant flower rose leaf branch log grass lawn hedge hay garden forest mountain hill
    cliff rock stone beach shore sand ocean sea lake river pond stream waterfall sky cloud sun moon
    snow field meadow road street sidewalk crosswalk path track railway platform bridge tunnel
    parking-lot intersection curb runway harbor dock pier fence gate wall door window roof ceiling
    floor stair staircase balcony porch chimney house building tower church barn cabin shed garage
    castle store shop restaurant kitchen bathroom bedroom office classroom hallway lobby station
    airport stadium court rink pool zoo farm market tent awning
    sign billboard hydrant light streetlight lamppost meter mailbox bin dumpster cone barrier
    tarmac asphalt brick tile wood metal
    circle square triangle rectangle star cube sphere cylinder ellipse disc cross heart diamond
    hexagon pentagon arrow block pyramid
    dial needle panel chart slice axis compartment board menu plate rim point bar line row
    piece shape word sheet
    """.split()
)

IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot",
    "geese": "goose", "knives": "knife", "leaves": "leaf", "shelves": "shelf", "wives": "wife",
    "loaves": "loaf", "calves": "calf", "policemen": "policeman", "fishermen": "fisherman",
    "cowboys": "cowboy", "teeth": "tooth", "mice": "mouse", "skis": "ski", "buses": "bus",
}  # fmt: skip

ALWAYS_PLURAL = frozenset("glasses sunglasses scissors people".split())

MODIFIERS = frozenset(
    """
    black white gray grey red green blue yellow orange purple pink brown tan beige gold golden
    silver teal striped plaid spotted checkered
    big large small little tall short long wide narrow huge tiny giant young old elderly adult
    wooden metal plastic glass stone brick concrete leather paper cardboard ceramic steel
    empty full open closed wet dry snowy sandy grassy muddy bare tiled paved dirt
    baseball tennis soccer football basketball hockey golf volleyball ski surf snow ice
    stop traffic street fire parking police school city double-decker passenger freight steam
    dining coffee kitchen bathroom living bedroom night picnic cutting computer cell mobile
    stuffed teddy hot birthday wedding orange green fried grilled sliced chopped fresh
    wine beer tea water milk toy electric remote video polar brown grizzly baby mother
    two three four five six seven several many
    first second third fourth fifth sixth seventh eighth top bottom front short round road wall
    painted numbered line menu station plant
    """.split()
)

VERBLIKE = frozenset(
    """
    can wave waves ring rings brush brushes comb combs cook cooks ski skis sail sails light lights
    head heads face faces hand hands train trains plant plants tie ties rock rocks dress dresses
    ship ships book books box boxes eye eyes water waters truck fish bat bats sink sinks ride rides
    leaf leaves branches paint paints post poster milk bus stick sticks trunk tail tails path play
    circle circles square squares cross crosses star stars block blocks disc arrow point points
    line lines board boards word piece bar row rows reach shape shapes
    """.split()
)
"""Nouns that after another noun may be verbs: "the man faces", "the dog waves"."""

DETERMINERS = frozenset(
    "a an the this that these those his her their its our my your some two three four five six "
    "several".split()
)

COUNTED = frozenset("two three four five six seven".split())

NEGATIONS = frozenset("no not without never none nobody neither nor lacks".split())

PLACING = tuple(
    tuple(p.split())
    for p in "next to|in front of|close to|across from|on top of|on|in|near|beside|behind|with|"
    "under|at|by|inside|against|above|below|of".split("|")
)
"""Prepositions that say where a thing is."""

NAMING = frozenset("of for to from with called named".split())
"""What may stand between a thing and the name that belongs to it: "the train to Lima"."""

UNREAL = frozenset(
    "would could should might may if unless need needs needed maybe perhaps people you one usually "
    "often typically commonly normally generally always mostly rarely traditionally used".split()
)
"""A sentence with one of these may speak of what is not in view."""

LOWERABLE = frozenset(
    "the a an this these those there it they he she we you his her their its some many most people "
    "two three four five several all both each one in on at behind near next "
    "from of above below between counted going elsewhere other no".split()
)
"""First words of a sentence that lose their capital when something is put before them."""

COMMON = frozenset(
    "the a an of to in on at is are was were be been it its this that these those there he she "
    "they we you his her their and or but not no with for from by as has have had do does did can "
    "will what which who where when why how because so than very up down out over under into "
    "near next left right one two some many".split()
)
"""Function words of English: a sentence has some."""
