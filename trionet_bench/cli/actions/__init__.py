"""What commands do once their options are parsed: call the library and print.

A command imports its action when it is carried out, so that ``--help`` loads none of what these modules import at their
top.
"""
