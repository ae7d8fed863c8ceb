"""``trionet-bench``: finds the commands, and turns every error into one paragraph and its exit code.

A module of this package is a command of its name, unless the name begins with an underscore. It is imported when the
command is needed and declares its options; what the command does is in ``actions``, which it imports when it is carried
out.
"""

import json
import pkgutil
import traceback
from importlib import import_module
from typing import NoReturn

import click

from trionet_bench import __version__, cli
from trionet_bench.errors import BenchError
from trionet_bench.interrupts import INTERRUPTED, MESSAGE
from trionet_bench.plugins import load_plugins
from trionet_bench.terminal import accept_any_text, echo, visible

_FIRST = (
    "run",
    "compare",
    "status",
    "report",
    "profile",
    "search",
    "suite",
    "data",
    "bench",
    "verify",
    "predict",
    "export",
    "doctor",
)
_AS_JSON = f"{__name__}.as_json"  # in the context: whether JSON was asked for


class Commands(click.Group):
    """The modules of this package as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The usual order of work, then what was added."""
        modules = {module.name for module in pkgutil.iter_modules(cli.__path__) if not module.ispkg}
        names = {name for name in modules if name != "main" and not name.startswith("_")}
        return [name for name in _FIRST if name in names] + sorted(names.difference(_FIRST))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f"{cli.__name__}.{name}"), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--debug`` may stand anywhere."""
        ctx.meta[_AS_JSON] = "--json" in args
        others = [argument for argument in args if argument != "--debug"]
        return super().parse_args(ctx, ["--debug", *others] if len(others) < len(args) else args)

    def invoke(self, ctx: click.Context) -> object:
        """Carry the command out; an error becomes a paragraph on stderr."""
        accept_any_text()
        try:
            load_plugins()
            return super().invoke(ctx)
        except click.UsageError as error:
            self._print_json(ctx, type(error).__name__, error.format_message(), error.exit_code)
            raise click.UsageError(visible(error.format_message()), error.ctx) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows what to do, also where what reads our output has had enough
        except KeyboardInterrupt:
            self._print_json(ctx, "KeyboardInterrupt", MESSAGE, INTERRUPTED)
            echo(MESSAGE, err=True)
            ctx.exit(INTERRUPTED)
        except BenchError as error:
            self._show(ctx, error, str(error), error.exit_code)
        except Exception as error:
            message = f"{type(error).__name__}: {error}. This is a fault of the program; --debug shows where."
            self._show(ctx, error, message, 1)

    def _show(self, ctx: click.Context, error: Exception, message: str, code: int) -> NoReturn:
        self._print_json(ctx, type(error).__name__, message, code)
        if ctx.params["debug"]:
            echo(traceback.format_exc(), err=True, nl=False)
        echo(f"Error: {message}", err=True)
        ctx.exit(code)

    def _print_json(self, ctx: click.Context, kind: str, message: str, code: int) -> None:
        """With ``--json`` the error is the one document on stdout."""
        if ctx.meta[_AS_JSON]:
            error = {"type": kind, "message": message}
            echo(json.dumps({"schema": 1, "error": error, "exit_code": code}))


@click.command(
    cls=Commands,
    context_settings={"auto_envvar_prefix": "TRIONET_BENCH", "help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 internal or store error, 2 wrong usage or suite, 3 some cells failed or are left, "
    "4 data missing, 130 interrupted. Every option can be set in the environment: TRIONET_BENCH_RUN_JOBS, for example. "
    "TRIONET_BENCH_CACHE names the folder of what can be made again: digests, decoded images, compiled kernels.",
)
@click.version_option(__version__, prog_name="trionet-bench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Which spatial operator belongs where? Convolution, local and axial self-attention, and searched mixes, compared.

    Start with `trionet-bench run quickstart`.
    """
