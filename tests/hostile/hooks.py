"""IPython's hooks: transformers, events, display, custom exceptions, forged messages of the kernel."""

from . import GENERIC, Attack

SHELL = "shell = get_ipython()\n"
RESULT = '{"data": {"text/plain": "5.0"}, "metadata": {}, "execution_count": shell.execution_count}'


def conv2d(text, **more):
    """An attack in the answer cell of conv2d, with a function that is wrong."""
    return {
        "cells": {
            "ex-conv2d": f"""{text}
def conv2d(image, kernel):
    return 0
"""
        },
        **more,
    }


ATTACKS = (
    Attack(
        slug="input-transformer",
        tries="A cleanup transformer turns the text of every later test into a number.",
        **conv2d(
            SHELL + 'shell.input_transformers_cleanup.append(lambda lines: ["5.0\\n"] if "check(" in "".join(lines) else lines)',
            spoils=True,
        ),
    ),
    Attack(
        slug="input-transformer-post",
        tries="A transformer that runs last does the same.",
        **conv2d(
            SHELL + 'shell.input_transformers_post.append(lambda lines: ["5.0\\n"] if "check(" in "".join(lines) else lines)', spoils=True
        ),
    ),
    Attack(
        slug="ast-transformer",
        tries="An AST transformer turns each call of check into a constant.",
        **conv2d(
            SHELL
            + """import ast


class Cheat(ast.NodeTransformer):
    def visit_Call(self, node):
        return ast.Constant(5.0) if getattr(node.func, 'id', '') == 'check' else node


shell.ast_transformers.append(Cheat())""",
            spoils=True,
        ),
    ),
    Attack(
        slug="pre-run-cell-event",
        tries="Before each cell an event puts another check in place.",
        **conv2d(
            SHELL + "shell.events.register('pre_run_cell', lambda info: shell.user_ns.update(check=lambda *a, **k: 5.0))", spoils=True
        ),
    ),
    Attack(
        slug="post-run-cell-event",
        tries="After each cell an event publishes a result of its own.",
        **conv2d(
            SHELL
            + f"""kernel = shell.kernel
def publish(result):
    kernel.session.send(kernel.iopub_socket, 'execute_result', {RESULT}, parent=kernel.get_parent(), ident=kernel.topic('execute_result'))
shell.events.register('post_run_cell', publish)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="display-hook",
        tries="The display hook shows full points whatever the result is.",
        **conv2d(
            SHELL
            + """hook = shell.display_trap.hook
original = type(hook).compute_format_data
type(hook).compute_format_data = lambda self, result: ({'text/plain': '5.0'}, {})""",
            spoils=True,
        ),
    ),
    Attack(
        slug="display-hook-silent",
        tries="The display hook shows nothing: a test without a result is worth full points to plain nbgrader.",
        **conv2d(SHELL + "shell.display_trap.hook = lambda value: None", spoils=True),
    ),
    Attack(
        slug="formatter",
        tries="The text formatter writes every verdict and number as full points.",
        **conv2d(
            SHELL
            + """plain = shell.display_formatter.formatters['text/plain']
plain.__class__.__call__ = lambda self, value: '5.0'
shell.display_formatter.format = lambda value, include=None, exclude=None: ({'text/plain': '5.0'}, {})""",
            spoils=True,
        ),
    ),
    Attack(
        slug="custom-exception",
        tries="An exception handler of the student's own shows a result instead of an error.",
        cells={
            "ex-conv2d": SHELL
            + """def handler(self, kind, value, tb, tb_offset=None):
    self.displayhook(5.0)
shell.set_custom_exc((BaseException,), handler)
del check"""
        },
        spoils=True,
    ),
    Attack(
        slug="run-cell-replaced",
        tries="The shell's run_cell runs a number in place of each test.",
        **conv2d(
            SHELL
            + """run = shell.run_cell
def run_cell(raw_cell, *args, **kwargs):
    return run('5.0' if raw_cell.startswith('check(') else raw_cell, *args, **kwargs)
shell.run_cell = run_cell
async_run = shell.run_cell_async
async def run_cell_async(raw_cell, *args, **kwargs):
    return await async_run('5.0' if raw_cell.startswith('check(') else raw_cell, *args, **kwargs)
shell.run_cell_async = run_cell_async""",
            spoils=True,
        ),
    ),
    Attack(
        slug="do-execute-replaced",
        tries="The kernel's do_execute answers every request with success and a result, and runs nothing.",
        **conv2d(
            SHELL
            + f"""kernel = shell.kernel
async def do_execute(code, *args, **kwargs):
    shell.execution_count += 1
    kernel.send_response(kernel.iopub_socket, 'execute_result', {RESULT})
    return {{'status': 'ok', 'execution_count': shell.execution_count, 'payload': [], 'user_expressions': {{}}}}
kernel.do_execute = do_execute""",
            spoils=True,
        ),
    ),
    Attack(
        slug="forged-result",
        tries="The function that is judged publishes a result through the kernel's own socket.",
        cells={
            "ex-conv2d": SHELL
            + f"""def conv2d(image, kernel):
    shell.kernel.send_response(shell.kernel.iopub_socket, 'execute_result', {RESULT})
    raise SystemExit"""
        },
    ),
    Attack(
        slug="forged-reply",
        tries="The function sends the reply and the idle status before the test has ended, then never returns.",
        cells={
            "ex-conv2d": SHELL
            + f"""import time
kernel = shell.kernel
def conv2d(image, kernel_):
    kernel.send_response(kernel.iopub_socket, 'execute_result', {RESULT})
    parent = kernel.get_parent()
    kernel.session.send(kernel.shell_stream, 'execute_reply', {{'status': 'ok', 'execution_count': 9, 'payload': [],
                        'user_expressions': {{}}}}, parent, ident=kernel._parent_ident.get('shell', b''))
    kernel.session.send(kernel.iopub_socket, 'status', {{'execution_state': 'idle'}}, parent=parent)
    time.sleep(60)"""
        },
        limits={"timeout": 4},
    ),
    Attack(
        slug="forged-for-later",
        tries="Messages with the ids of requests that are still to come are flooded in advance.",
        **conv2d(
            SHELL
            + f"""kernel = shell.kernel
for n in range(200):
    parent = dict(kernel.get_parent())
    header = dict(parent.get('header', {{}}))
    header['msg_id'] = f"{{header.get('session', '')}}_{{n}}_{{n}}"
    parent['header'] = header
    kernel.session.send(kernel.iopub_socket, 'execute_result', {RESULT}, parent=parent)
    kernel.session.send(kernel.iopub_socket, 'status', {{'execution_state': 'idle'}}, parent=parent)"""
        ),
    ),
    Attack(
        slug="display-update",
        tries="A later cell rewrites, by its display id, what earlier cells have shown.",
        own=(
            (
                "end",
                SHELL
                + """from IPython.display import publish_display_data
for name in ('1', 'verdict', None, 5, ['x']):
    try:
        publish_display_data({'text/plain': '5.0'}, transient={'display_id': name}, update=True)
    except Exception as problem:
        print(problem)""",
            ),
        ),
    ),
    Attack(
        slug="comm-messages",
        tries="Comm messages of every wrong form are sent to whoever runs the kernel.",
        **conv2d(
            SHELL
            + """kernel = shell.kernel
for kind in ('comm_open', 'comm_msg', 'comm_close'):
    for content in ({}, {'comm_id': None}, {'comm_id': 'x', 'target_name': 'jupyter.widget', 'data': {'state': 5, 'buffer_paths': [[0]]}},
                    {'comm_id': 'x', 'data': {'method': 'update', 'state': {'outputs': 5, 'msg_id': '1'}}}, 'text'):
        try:
            kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent(), buffers=[b'x'])
        except Exception as problem:
            print(problem)"""
        ),
        spoils=True,
    ),
    Attack(
        slug="output-widget",
        tries="An output widget claims the messages of the cells that follow.",
        **conv2d(
            SHELL
            + """import ipywidgets
out = ipywidgets.Output()
out.msg_id = shell.kernel.get_parent()['header']['msg_id']
display(out)
out.append_display_data('5.0')"""
        ),
    ),
    Attack(
        slug="compiler-replaced",
        tries="The shell's compiler compiles another expression for each test.",
        **conv2d(
            SHELL
            + """parse = shell.compile.ast_parse
shell.compile.ast_parse = lambda source, *a, **k: parse('5.0' if 'check(' in source else source, *a, **k)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="namespace-that-lies",
        tries="The namespace of the notebook is a dictionary that gives another check each time it is asked.",
        **conv2d(
            SHELL
            + """class Lying(dict):
    def __getitem__(self, name):
        return (lambda *a, **k: 5.0) if name == 'check' else super().__getitem__(name)
shell.user_ns = Lying(shell.user_ns)
shell.user_module.__dict__['check'] = lambda *a, **k: 5.0""",
            spoils=True,
        ),
    ),
    Attack(
        slug="malformed-messages",
        tries="Output messages whose content has the wrong types and encodings are sent while the function is judged.",
        cells={
            "ex-conv2d": SHELL
            + """kernel = shell.kernel
def conv2d(image, kernel_):
    parent = kernel.get_parent()
    for kind, content in (('stream', {'name': 5, 'text': ['x']}), ('stream', {}), ('execute_result', {'data': 'x'}), ('error', {}),
                          ('display_data', {'data': {'text/plain': 7}, 'metadata': []}), ('clear_output', {}), ('nonsense', {'a': 1}),
                          ('status', {'execution_state': 'dead'}), ('update_display_data', {}), ('execute_input', {})):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
    kernel.iopub_socket.send_multipart([b'', b'<IDS|MSG>', b'0' * 64, b'{', b'}', b'\\xff', b''])
    return 0"""
        },
        spoils=True,
    ),
    Attack(
        slug="payloads",
        tries="Payloads and the next input are set, so that another cell should run instead.",
        **conv2d(
            SHELL
            + """shell.set_next_input('5.0', replace=True)
shell.payload_manager.write_payload({'source': 'ask_exit', 'keepkernel': False})"""
        ),
    ),
    Attack(
        slug="generic-display-hook",
        lesson=GENERIC,
        tries="In another instructor's course the display hook shows four points for whatever comes.",
        cells={
            "ex-double": SHELL
            + """type(shell.display_trap.hook).compute_format_data = lambda self, result: ({'text/plain': '1'}, {})
double = area = scaled = total = shout = None"""
        },
        spoils=True,
    ),
    Attack(
        slug="generic-ast-transformer",
        lesson=GENERIC,
        tries="In another instructor's course an AST transformer makes every comparison true.",
        cells={
            "ex-double": SHELL
            + """import ast


class Cheat(ast.NodeTransformer):
    def visit_Compare(self, node):
        return ast.Constant(True)


shell.ast_transformers.append(Cheat())
def double(x): return 0
area = scaled = total = shout = double"""
        },
        spoils=True,
    ),
)
