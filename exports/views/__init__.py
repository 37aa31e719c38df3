"""The REST doors of exports: our own, and ibl.ai's."""
