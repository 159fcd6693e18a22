from flask_wtf.file import FileField, FileRequired

from portal.forms import Form


class LogoForm(Form):
    logo = FileField(
        "Picture",
        [FileRequired("Choose the file with the logo.")],
        description="PNG or JPEG, at most 1 MB. It is drawn anew, at most 360 by 120 pixels.",
    )
