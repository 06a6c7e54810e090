"""The studio: a page on which people degrade a picture by eye and browse what was made.

``gateway`` alone imports gradio; ``chain``, ``pixels`` and ``texts`` are the logic of editing,
``shelf``, ``tables`` and ``cells`` that of browsing, which needs no torch; ``*_tab`` and ``app``
are the page.
"""
