"""Mutants of what is stored, for whom and for how long: `cache/`, apart from looks."""

from __future__ import annotations

from tests.cache.mutant import BOTH, POSTGRESQL, Edit, Mutant

QUERY_CACHE = "cache/query_cache.py"
STORE = "cache/store.py"

STORE_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="stamped-after-the-query",
        breaks="A fill that began before a write is not stored after it.",
        edits=(
            Edit(
                QUERY_CACHE,
                "            value = await query()\n            stats.queries += 1\n",
                "            value = await query()\n            stats.queries += 1\n"
                "            if fill is not None:\n"
                "                fill.began = self._fills._changes\n",
            ),
        ),
    ),
    Mutant(
        name="superseded-fill-is-stored",
        breaks="A fill is stored only if no look since it began has touched its tags.",
        edits=(
            Edit(
                QUERY_CACHE,
                "if self._fills.is_superseded(fill, tags) or self._is_marked(tags):",
                "if self._is_marked(tags):",
            ),
        ),
    ),
    Mutant(
        name="shared-unjudged",
        breaks="Who shares a fill that began before he asked gets nothing that is older than he.",
        edits=(
            Edit(
                QUERY_CACHE,
                "self._fills.end(fill, entry)",
                "self._fills.end(\n"
                "                    fill,\n"
                "                    entry or self._unstored(key, value, name)\n"
                "                    if 'value' in locals() else None,\n"
                "                )",
            ),
        ),
    ),
    Mutant(
        name="emptying-spares-the-fills",
        breaks="When everything may have changed, what is being filled is not stored.",
        edits=(Edit(QUERY_CACHE, "        self._fills.supersede_all()\n", ""),),
    ),
    Mutant(
        name="everything-is-nothing",
        breaks="When a look says everything, nothing that was stored is given out.",
        edits=(Edit(QUERY_CACHE, "self.clear(changes.everything)", "pass"),),
    ),
    Mutant(
        name="only-the-first-tag",
        breaks="An answer goes when any of its tags was touched.",
        edits=(
            Edit(
                STORE,
                "        for tag in entry.tags:\n            self._by_tag.setdefault",
                "        for tag in entry.tags[:1]:\n            self._by_tag.setdefault",
            ),
        ),
    ),
    Mutant(
        name="a-change-stays-below",
        breaks="A change of a tag touches every tag above it.",
        edits=(
            Edit(
                "cache/tags.py",
                "            touched.add(path)\n",
                "            touched.add(path)\n            break\n",
            ),
        ),
    ),
    Mutant(
        name="a-change-stays-above",
        breaks="A change of all of a table touches what stands beneath.",
        edits=(Edit(STORE, "beneath = subtrees(changes)", "beneath = ()"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="used-inside-a-unit",
        breaks="A unit that has written sees its own change.",
        edits=(
            Edit(
                QUERY_CACHE,
                "if BYPASS.get() or IN_UNIT.get() or not await self._is_fresh(bound_s):",
                "if BYPASS.get() or not await self._is_fresh(bound_s):",
            ),
            Edit(
                QUERY_CACHE,
                "if BYPASS.get() or IN_UNIT.get() or not self._look_now():",
                "if BYPASS.get() or not self._look_now():",
            ),
        ),
    ),
    Mutant(
        name="a-bypass-stores",
        breaks="What a unit reads, and what is read past the cache, is not stored.",
        edits=(Edit(QUERY_CACHE, "if miss is Miss.UNSURE:", "if miss is None:"),),
    ),
    Mutant(
        name="the-evicted-keep-their-tags",
        breaks="What was evicted is gone, from the index of tags as well.",
        edits=(
            Edit(
                STORE,
                "        self._forget(entry)\n        self._evicted(entry)",
                "        self._evicted(entry)",
            ),
        ),
    ),
    Mutant(
        name="the-expired-are-served",
        breaks="Nothing is given out beyond its time to live.",
        edits=(Edit(QUERY_CACHE, "if entry.expires_at <= self.clock():", "if False:"),),
    ),
    Mutant(
        name="one-key-for-all",
        breaks="An answer is that of its own parameters.",
        edits=(
            Edit("cache/reader.py", "key = (rule.name, rule.values(params))", "key = (rule.name,)"),
        ),
    ),
    Mutant(
        name="marks-do-not-count",
        breaks="While a source that no feed watches is being changed, nothing of it is given out.",
        edits=(Edit(QUERY_CACHE, "if self._marked and self._is_marked(entry.tags):", "if False:"),),
    ),
    Mutant(
        name="invalidated-before-the-change",
        breaks="What was changed counts as changed when the change is done, not before.",
        edits=(
            Edit(
                QUERY_CACHE,
                "                    del self._marked[tag]\n            self.invalidate(*tags)",
                "                    del self._marked[tag]",
            ),
            Edit(
                QUERY_CACHE,
                "            self._marked[tag] = self._marked.get(tag, 0) + 1\n",
                "            self._marked[tag] = self._marked.get(tag, 0) + 1\n"
                "        self.invalidate(*tags)\n",
            ),
        ),
        engines=BOTH,
    ),
)
