"""Records to numbers: intervals, comparisons, placement, fronts. Nothing here trains, draws or imports torch."""
